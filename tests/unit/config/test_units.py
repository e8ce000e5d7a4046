import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.config.units import duration_text, percent, percent_text, positive_seconds, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("5s", 5.0), ("0s", 0.0), ("1.5m", 90.0), ("2h", 7200.0), ("30d", 2_592_000.0), ("0.001s", 0.001)],
)
def test_a_duration_is_read_as_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("wrong", [5, 5.0, None, True, "5", "5 s", "-5s", "5S", "5s\n", "٥s", "1e3s", ["5s"]])
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(
        ValueError, match="is not a duration: write a number and s, m, h or d, such as 5s or 10m"
    ):
        seconds(wrong)


def test_no_duration_is_endless() -> None:
    assert seconds("3650d") == 315_360_000.0
    for text in ("3651d", "999999999d"):
        with pytest.raises(ValueError, match="is too long: 3650d is the longest duration"):
            seconds(text)


def test_a_time_limit_is_more_than_nothing() -> None:
    assert positive_seconds("0.001s") == 0.001
    with pytest.raises(ValueError, match="is no time at all"):
        positive_seconds("0.0h")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0s"),
        (600.0, "10m"),
        (90.0, "90s"),
        (86400.0, "1d"),
        (1.5, "1.5s"),
        (3600.0, "1h"),
        (10.0, "10s"),
    ],
)
def test_a_duration_is_shown_in_the_largest_whole_unit(value: float, text: str) -> None:
    assert duration_text(value) == text


@given(st.integers(0, 3650 * 86_400_000).map(lambda thousandths: thousandths / 1000))
def test_reading_a_shown_duration_gives_the_same_value(value: float) -> None:
    assert seconds(duration_text(value)) == value


@pytest.mark.parametrize(("text", "value"), [("20%", 20.0), ("0%", 0.0), ("100%", 100.0), ("2.5%", 2.5)])
def test_a_percentage_is_read_and_shown(text: str, value: float) -> None:
    assert percent(text) == value
    assert percent_text(value) == text


@pytest.mark.parametrize("wrong", [20, "20", "101%", "-1%", "100.5%", "20 %", "20%\n"])
def test_what_is_no_percentage_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a percentage"):
        percent(wrong)
