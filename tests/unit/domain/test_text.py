import html
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.domain.text import ago, block, code, duration, head, markdown, one_line, tail

ANY = st.text(alphabet=st.characters(), max_size=60) | st.text(alphabet="`|<>&[]*_~$\\\n@#1w.:/a -+=!(){}")
PLAIN_SPAN = r"(?<!`)`[A-Za-z0-9_./:@=,+%() -]+`(?!`)"


def test_line_breaks_controls_and_bidi_overrides_are_shown() -> None:
    assert one_line("a\r\nb\tc\x1b[31m\u202egnp\u2028\u200b\ud800") == (
        "a\\r\\nb\\tc\\x1b[31m\\u202egnp\\u2028\\u200b\\ud800"
    )


def test_nothing_can_hide_in_variation_selectors() -> None:
    assert one_line("a\ufe0fb\U000e0101") == "ab\\U000e0101"


def test_letters_that_show_nothing_are_shown() -> None:
    assert one_line("a\u3164\u034f\u180b") == "a\\u3164\\u034f\\u180b"


def test_ordinary_writing_is_left_alone() -> None:
    assert one_line("Grüße, 世界 → 10 % ✓") == "Grüße, 世界 → 10 % ✓"


def test_a_long_line_is_cut_with_a_sign() -> None:
    assert one_line("abcdef", 5) == "abcd…"
    assert one_line("abcde", 5) == "abcde"
    assert len(one_line("\x00" * 100, 20)) == 20


@settings(deadline=None)
@given(ANY)
def test_one_line_is_one_visible_line(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"} for c in shown)


@settings(deadline=None)
@given(ANY)
def test_a_block_has_no_line_breaks_but_line_feeds(text: str) -> None:
    shown = block(text)
    assert shown.count("\n") == text.replace("\r\n", "\n").count("\n")
    assert len(shown.split("\n")) >= len(shown.splitlines())


@settings(deadline=None)
@given(ANY)
def test_markdown_holds_no_character_that_means_anything(text: str) -> None:
    rest = re.sub(PLAIN_SPAN, "", markdown(text)).replace("<!-- -->", "")
    assert not set(rest) & set("|`<>[]*~$\\\n")
    assert not re.search(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|://|www\.", rest)
    assert not re.search(r"@\w|#\d", re.sub(r"&#\d+;", " ", re.sub(PLAIN_SPAN, "", markdown(text))))


@settings(deadline=None)
@given(ANY)
def test_markdown_shows_just_the_text_it_was_given(text: str) -> None:
    assert html.unescape(markdown(text).replace("<!-- -->", "")) == one_line(text).strip()


@settings(deadline=None)
@given(ANY)
def test_code_is_a_plain_span_or_a_closed_element(text: str) -> None:
    shown = code(text)
    inner = shown.removeprefix("<code>").removesuffix("</code>")
    assert shown == "" or re.fullmatch(PLAIN_SPAN, shown) or len(inner) == len(shown) - 13
    if inner != shown:
        assert not set(inner.replace("<!-- -->", "")) & set("|`<>[]*~$\\\n")
        assert html.unescape(inner.replace("<!-- -->", "")) == one_line(text).strip()


@pytest.mark.parametrize("start", ["- x", "+ x", "# x", "1. x", "2) x", "=== ", "---"])
def test_text_cannot_begin_a_list_or_heading(start: str) -> None:
    assert markdown(start).startswith("&#")


def test_plain_code_in_a_hint_stays_code_and_a_lone_backtick_does_not() -> None:
    assert markdown("run `deploy-actions plan` or `x") == "run `deploy-actions plan` or &#96;x"


def test_a_tail_says_how_much_is_gone() -> None:
    text = "".join(f"line {n}\n" for n in range(10))
    assert tail(text, lines=2, size=100) == "(8 earlier lines left out)\nline 8\nline 9"
    assert tail(text, lines=10, size=15) == "(8 earlier lines left out)\nline 8\nline 9"
    assert tail("a\nb\n", lines=2, size=100) == "a\nb"


def test_one_endless_line_is_cut_at_its_beginning() -> None:
    assert tail("é" * 100, lines=5, size=5) == "éé"


@settings(deadline=None)
@given(st.text(), st.integers(min_value=0, max_value=60))
def test_a_head_is_never_larger_than_allowed(text: str, size: int) -> None:
    assert len(head(text, size=size, notice="(cut)").encode()) <= size


def test_a_head_is_cut_at_a_line_and_says_so() -> None:
    assert head("one\ntwo\nthree\n", size=13, notice="(cut)") == "one\n\n(cut)\n"
    assert head("short", size=5, notice="(cut)") == "short"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (1.234, "1.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59.9, "59 s"), (3599, "59 min"), (10800, "3 h"), (400000, "4 d")]
)
def test_ages_are_written_in_their_largest_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text
