"""Reading a draft announcement: what counts as written, ticked, linked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.checks.draft import Answer, read_draft

TEXT = """\
# Release of prices in euro

Replaces: sha-1111111
**Migration:** can be undone

## Scope
The shop shows prices in euro, see specs/prices/tasks.md#T4 and <https://tracker.example/42>.

### Not in it
- anything else

## Risk

<!-- somebody has to fill this in -->
- TODO

## Contacts ##
* [ ] TBD: whom to call

## Questions
- [x] Are risky operations authorised? By the security team.
- [ ] Are the observability fields there?
"""


def test_a_section_goes_on_below_smaller_headings_and_placeholders_leave_it_empty() -> None:
    draft = read_draft(TEXT)
    assert draft.section("scope").startswith("The shop shows")
    assert "anything else" in draft.section("SCOPE")
    assert draft.section("Not in it") == "- anything else"
    assert (draft.section("Risk"), draft.section("Contacts"), draft.section("Other")) == ("", "", "")


@pytest.mark.parametrize(
    "line",
    ["TODO", "- todo: ask", "…", "...", "> TBD", "<fill in>", "**<name>**", "---", "- [ ] FIXME"],
)
def test_a_placeholder_says_nothing(line: str) -> None:
    assert read_draft(f"# Risk\n{line}\n").section("Risk") == ""


@pytest.mark.parametrize(
    "line", ["none", "n/a", "<https://wiki.example/risk>", "<ops@example.org>", "todos are shown", "低", "1"]
)
def test_anything_else_says_something(line: str) -> None:
    assert read_draft(f"# Risk\n{line}\n").section("Risk") == line


def test_fields_are_lines_with_a_word_and_a_colon() -> None:
    draft = read_draft(TEXT + "Version: <fill in>\n- Version: `sha-2`\nVersion: sha-3\n")
    assert draft.fields["replaces"] == "sha-1111111"
    assert draft.fields["migration"] == "can be undone"
    assert draft.fields["version"] == "sha-2"


def test_a_question_may_be_followed_by_its_answer() -> None:
    draft = read_draft(TEXT)
    (answer,) = draft.answered("are risky  operations **authorised**")
    assert (answer.ticked, answer.line) == (True, 21)
    assert draft.answered("Are the observability fields there?") == (
        Answer(text="Are the observability fields there?", ticked=False, line=22),
    )
    assert draft.answered("Are the observability field") == (), "half a word is another question"


def test_code_and_comments_tick_nothing_and_make_no_headings() -> None:
    text = "# Scope\ntext\n- [x] asked\nVersion: sha-2\n"
    draft = read_draft(f"```\n{text}```\n<!--\n{text}-->\n")
    assert (draft.sections, draft.answers, draft.fields) == ({}, (), {})
    assert read_draft("# Scope\n```\nshown\n```\n# Risk\nlow").section("risk") == "low"
    assert read_draft("# Scope\n<!-- never closed\ntext").section("scope") == ""


def test_the_first_section_of_a_name_that_says_something_counts() -> None:
    assert read_draft("# Risk\n\n# Risk\nlow\n# Risk\nhigh").section("Risk") == "low"


def test_words_are_free_of_brackets_and_closing_points() -> None:
    text = "See [tasks](specs/a/tasks.md), `specs/b.md`; <https://x.example/1>. **../c.md**, "
    words = read_draft(text + "x" * 501).words
    assert {"specs/a/tasks.md", "specs/b.md", "https://x.example/1", "../c.md"} <= set(words)
    assert max(map(len, words)) <= 500


@settings(deadline=None)
@given(st.text(alphabet="#-[]x `~<>!:*\n\tab", max_size=200) | st.text(max_size=100))
def test_any_text_can_be_read(text: str) -> None:
    draft = read_draft(text)
    assert all(item.line >= 1 for item in draft.answers)
