import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.ci.sections import harmless, section_end, section_start
from ci_lib.domain.text import block
from tests.unit.ci.gitlab_log import MARKER, read

HOSTILE = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["section_start:", "section_end:", "12:", "step_script", "\r", "\x1b[0K", "\n", "x", "[a=b]"]
    ),
    max_size=9,
).map("".join)


@settings(deadline=None, max_examples=500)
@given(HOSTILE)
def test_no_text_can_begin_or_end_a_section(text: str) -> None:
    shown = harmless(block(text))
    assert MARKER.search(shown) is None
    assert MARKER.search(f"{shown}\r\x1b[0K") is None  # nor with what another command prints next
    assert not set(shown) & {"\r", "\x1b"}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("section_start:1:x", "section_start :1:x"),
        ("a section_end:1:step_script b", "a section_end :1:step_script b"),
        ("the section_start of a page", "the section_start of a page"),
        ("::error::x", "::error::x"),
    ],
)
def test_only_what_could_be_a_marker_is_changed(line: str, shown: str) -> None:
    assert harmless(line) == shown


def test_a_section_holds_what_stands_between_its_markers() -> None:
    found = read(
        "\n".join(
            [
                section_start("a_1", "pull api", at=7, collapsed=True),
                "inside",
                section_end("a_1", at=9),
                "outside",
            ]
        )
    )
    assert found.started == [("a_1", "[collapsed=true]")]
    assert found.lines == [(("a_1",), "pull api"), (("a_1",), "inside"), ((), "outside")]


@pytest.mark.parametrize("name", ["", "a b", "a\r", "a:b", "ä", "a[b=c]"])
def test_a_section_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="name of a section"):
        section_start(name, "x", at=0, collapsed=False)
    with pytest.raises(ValueError, match="name of a section"):
        section_end(name, at=0)
