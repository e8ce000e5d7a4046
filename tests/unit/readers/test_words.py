import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.domain.gate import Spot
from ci_lib.readers.traceback import spot_in
from ci_lib.readers.words import label, message, spot, whole

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


def harmless(text: str) -> bool:
    return all(unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} for one in text)


@given(ANYTHING)
def test_a_text_shows_what_it_is_and_no_more(value: object) -> None:
    assert harmless(label(value))
    assert harmless(message(value).replace("\n", "").replace("\t", ""))


def test_a_message_keeps_its_lines() -> None:
    assert message(" a\r\n\tb\x1b[0m \n") == "a\n\tb\\x1b[0m"


def test_a_path_that_cannot_be_shown_as_it_is_is_no_place() -> None:
    assert spot("a b/ü.py", 3) == Spot(path="a b/ü.py", line=3)
    assert spot("a.py", -1) == spot("a.py", "x") == spot("a.py", None) == Spot(path="a.py")
    assert (
        spot("", 3) is spot(None, 3) is spot("a\nb", 3) is spot("a\u202eb", 3) is spot("a" * 1001, 3) is None
    )


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12),
        (12, 12),
        (0, 0),
        ("-1", None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("١", None),
        ("9" * 16, None),
    ],
)
def test_whole_numbers(value: object, number: int | None) -> None:
    assert whole(value) == number


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("E   assert 1\n\ntests/test_a.py:17: AssertionError", Spot(path="tests/test_a.py", line=17)),
        ("/usr/lib/python3.12/json/decoder.py:3: in x\ntests/a.py:4: in y", Spot(path="tests/a.py", line=4)),
        (" ❯ src/a.test.ts:5:13", Spot(path="src/a.test.ts", line=5)),
        ("    at f (/w/node_modules/x/y.js:1:2)\n    at g (/w/a.mjs:3:4)", Spot(path="/w/a.mjs", line=3)),
        ("    at file:///w/a.js:3:4", Spot(path="/w/a.js", line=3)),
        ("    at async /w/a.js:3:4", None),
        ("\tat shop.PricesTest.tillOpens(PricesTest.java:23)", None),
        ("at noon, see b.py", None),
    ],
)
def test_the_first_place_of_a_trace_that_is_the_projects_own(text: str, place: Spot | None) -> None:
    assert spot_in(text) == place
