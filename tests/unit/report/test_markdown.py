import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.domain.text import code, markdown
from ci_lib.report.markdown import bullets, details, fence, link, table

FOREIGN = st.text(max_size=40) | st.text(alphabet="`|<>\\\n\r\u2028 ~ab")


@settings(deadline=None)
@given(st.lists(st.tuples(FOREIGN, FOREIGN), min_size=1, max_size=5))
def test_no_text_can_forge_a_table_cell_or_row(rows: list[tuple[str, str]]) -> None:
    text = table(("A", "B"), [(markdown(a), code(b)) for a, b in rows])
    lines = text.splitlines()
    assert len(lines) == len(rows) + 2
    assert all(line.count("|") == 3 for line in lines)


@settings(deadline=None)
@given(FOREIGN)
def test_no_text_can_end_a_fence(text: str) -> None:
    first, *inside, last = fence(text).splitlines()
    assert first == last + "text"
    assert not any(re.fullmatch(rf" {{0,3}}{last}`*\s*", line) for line in inside)


def test_long_tables_and_lists_say_what_they_leave_out() -> None:
    assert table(("A",), [("x",)] * 5, limit=2).endswith("| x |\n\n…and 3 more.\n")
    assert bullets(["x"] * 5, limit=2) == "- x\n- x\n- …and 3 more\n"


def test_nothing_to_show_is_nothing() -> None:
    assert table(("A",), []) + bullets([]) + details("Empty", " \n") == ""


def test_only_plain_web_addresses_become_links() -> None:
    assert link("open", "https://github.com/a/b?c=d#e") == "[open](<https://github.com/a/b?c=d#e>)"
    for url in ("javascript:alert(1)", "https://x/ y", "https://x/>)[z](", "https://x|y", "https://x\n"):
        assert not link("open", url).startswith("[open]")
