import pytest

from ci_lib.domain.gate import Unreadable
from ci_lib.readers import raw
from ci_lib.readers.raw import decoded, json_object, member, objects


def test_a_byte_order_mark_is_left_aside() -> None:
    assert decoded(b"\xef\xbb\xbf{}", "Trivy") == "{}"


def test_a_report_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "LIMIT", 1 << 20)
    assert decoded(b"x" * (1 << 20), "Trivy")
    with pytest.raises(Unreadable, match=r"^the Trivy report has 3 MiB; up to 1 MiB are read$"):
        decoded(b"x" * (3 << 20), "Trivy")


@pytest.mark.parametrize("text", ["{", "NaN", '{"a": Infinity}', '{"a": ' + "9" * 5000 + "}", "{} {}"])
def test_what_is_not_json_is_said(text: str) -> None:
    with pytest.raises(Unreadable, match="the Trivy report is not JSON: "):
        json_object(text, "Trivy")


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        json_object('{"a":' * 200_000, "Trivy")


def test_json_of_another_shape_is_refused() -> None:
    with pytest.raises(Unreadable, match="JSON, but not an object"):
        json_object("[]", "Trivy")
    with pytest.raises(Unreadable, match="Results in the Trivy report is not a list of objects"):
        objects([{}, 1], "Results", "Trivy")


def test_a_way_through_json_ends_where_it_does_not_fit() -> None:
    value = {"a": [{"b": 1}]}
    assert member(value, "a", 0, "b") == 1
    assert (
        member(value, "a", 1) is member(value, "a", -1) is member(value, 0) is member(value, "a", "b") is None
    )
