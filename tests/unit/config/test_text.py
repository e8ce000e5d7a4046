import pytest

from ci_lib.config.text import clean, instead, listed, near, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        (None, "nothing"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
        ("a\n::error::b\x1b[31m", '"a\\n::error::b\\x1b[31m"'),
    ],
)
def test_a_value_is_shown_on_one_harmless_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_text_is_shortened_after_escaping() -> None:
    assert len(clean("\x00" * 60)) == 60
    assert clean("x" * 60) == "x" * 60
    assert clean("x" * 61) == "x" * 59 + "…"


@pytest.mark.parametrize(
    ("word", "guess"), [("prod", "production"), ("Staging", "staging"), ("stagign", "staging"), ("qa", None)]
)
def test_the_nearest_word_is_found(word: str, guess: str | None) -> None:
    assert near(word, ["staging", "production"]) == guess


def test_a_word_that_is_near_to_nothing_gets_the_whole_list() -> None:
    assert instead("zzz", ["a", "b"]) == "known are: a, b"
    assert instead("zzz", []) == "there are none"


def test_a_long_list_is_cut() -> None:
    assert listed(map(str, range(17))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, …"
