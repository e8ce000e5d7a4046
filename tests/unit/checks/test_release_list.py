"""The list before a release: every row that can refuse, and what it says to do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ci_lib.checks.draft import read_draft
from ci_lib.checks.release_list import Asked, migration, release_list
from ci_lib.config.release import ReleaseRules, Setting
from ci_lib.domain.outcome import CheckResult, Mark

NOW = datetime(2027, 1, 20, 12, 0, tzinfo=UTC)
SECRET = "correct-horse-battery-staple-CHANGEME"
RULES = ReleaseRules(
    draft="ops/release.md",
    links=("tasks[.]md", "tracker[.]example"),
    questions=("Are risky operations authorised?", "Dual writes are compatible"),
)
GOOD = """\
Version: sha-2222222
Migration: none
# Scope
prices
# Risk
low
# Contacts
team-shop
# Questions
See [the tasks](specs/tasks.md#T4) and https://tracker.example/42
- [x] Are risky operations authorised?
- [X] Dual writes are compatible: yes, both columns are kept
"""


EVERYTHING = f"""\
draft: ops/release.md does not say for which release it is, wanted \
the line `Version: sha-2222222{'0' * 33}`, or `Replaces: sha-1111111{'0' * 33}`
draft section Scope: empty in ops/release.md, wanted text below `# Scope`
draft section Risk: empty in ops/release.md, wanted text below `# Risk`
draft section Contacts: empty in ops/release.md, wanted text below `# Contacts`
draft link tasks[.]md: none in ops/release.md, wanted a URL, or a file of the checkout
draft link tracker[.]example: none in ops/release.md, wanted a URL, or a file of the checkout
question Are risky operations authorised?: not in ops/release.md, wanted \
`- [x] Are risky operations authorised?`
question Dual writes are compatible: not in ops/release.md, wanted `- [x] Dual writes are compatible`
migration: nothing in ops/release.md, wanted \
the line `Migration: …`: none, or how it can be undone or what is done instead"""


def asked(text: str | None = GOOD, **values: Mapping[str, str]) -> Asked:
    return Asked(
        version="sha-2222222" + "0" * 33,
        previous="sha-1111111" + "0" * 33,
        draft=None if text is None else read_draft(text),
        lacks="there is no such file",
        there=lambda path: path == "specs/tasks.md#T4",
        values={place: [found] for place, found in values.items()},
        now=NOW,
    )


def failed(rows: tuple[CheckResult, ...]) -> list[str]:
    return [f"{row.name}: {row.value}, wanted {row.bound}" for row in rows if row.mark is Mark.FAILED]


def test_a_draft_that_has_everything_passes_in_every_row() -> None:
    rows = release_list(RULES, asked())
    assert [(row.name, row.value) for row in rows if row.mark is Mark.PASSED] == [
        ("draft", "for sha-2222222" + "0" * 33),
        ("draft section Scope", "written"),
        ("draft section Risk", "written"),
        ("draft section Contacts", "written"),
        ("draft link tasks[.]md", "specs/tasks.md#T4"),
        ("draft link tracker[.]example", "https://tracker.example/42"),
        ("question Are risky operations authorised?", "ticked"),
        ("question Dual writes are compatible", "ticked"),
        ("migration", "none"),
    ]
    assert failed(rows) == []


def test_an_empty_draft_is_told_everything_at_once() -> None:
    assert "\n".join(failed(release_list(RULES, asked("")))) == EVERYTHING



def test_a_draft_that_is_not_there_is_one_row() -> None:
    assert failed(release_list(RULES, asked(None))) == [
        "draft: ops/release.md: there is no such file, wanted a file in the checkout"
    ]


def test_without_a_draft_nothing_of_it_is_asked_for() -> None:
    assert release_list(ReleaseRules(), asked(None)) == ()


@pytest.mark.parametrize(
    ("lines", "good"),
    [
        (f"Version: sha-2222222{'0' * 33}", True),
        ("Version: sha-2222222", True),
        ("Version: sha-222222", False),
        ("Version: sha-1111111", False),
        ("Replaces: sha-1111111", True),
        ("Replaces: sha-0000000", False),
        ("Version: sha-1111111\nReplaces: sha-1111111", False),
        ("Version: sha-2222222\nReplaces: sha-0000000", True),
        ("Version: TODO\nReplaces: sha-1111111", True),
        ("sha-2222222", False),
    ],
)
def test_a_draft_names_its_version_or_what_it_replaces(lines: str, good: bool) -> None:
    (row, *_) = release_list(RULES, asked(lines))
    assert (row.name, row.mark is Mark.PASSED) == ("draft", good)


def test_the_draft_of_the_release_that_serves_is_stale() -> None:
    next_one = replace(asked(), version="sha-3333333", previous="sha-2222222")
    (row, *_) = release_list(RULES, next_one)
    assert (row.mark, row.value) == (Mark.FAILED, "ops/release.md says `Version: sha-2222222`")


def test_the_first_release_replaces_nothing() -> None:
    (row, *_) = release_list(RULES, replace(asked("Replaces: nothing"), previous=""))
    assert row.mark is Mark.PASSED


def test_other_versions_than_commits_are_named_in_full() -> None:
    for named, good in (("v1.4.0", True), ("v1.4", False), ("v1.4.0-rc1-long", False)):
        (row, *_) = release_list(RULES, replace(asked(f"Version: {named}"), version="v1.4.0"))
        assert (row.mark is Mark.PASSED) is good


def test_an_open_item_is_told_with_its_line_even_beside_a_ticked_one() -> None:
    text = GOOD + "- [ ] are risky operations authorised? Ask again.\n"
    (row,) = failed(release_list(RULES, asked(text)))
    assert row.startswith("question Are risky operations authorised?: not ticked in ops/release.md, line 13,")


def test_a_path_that_the_checkout_does_not_have_is_no_link() -> None:
    text = GOOD.replace("specs/tasks.md#T4", "specs/gone/tasks.md")
    (row,) = failed(release_list(RULES, asked(text)))
    assert row.startswith("draft link tasks[.]md: specs/gone/tasks.md is not in the checkout, wanted")


def test_a_declared_policy_speaks_for_the_migration() -> None:
    assert migration("reversible", read_draft(""), "d.md").value == "policy reversible"
    assert migration(None, read_draft("# Migration\nrestore the backup"), "d.md").value == "written"
    assert migration(None, read_draft("Migration: TODO"), "d.md").mark is Mark.FAILED
    (*_, row) = release_list(RULES, replace(asked(""), policy="reversible"))
    assert (row.name, row.mark) == ("migration", Mark.PASSED)


def setting(value: str | None, **rule: object) -> CheckResult:
    rules = ReleaseRules(settings=(Setting.model_validate({"name": "SECRET_KEY", **rule}),))
    values = {} if value is None else {"SECRET_KEY": value}
    (row,) = release_list(rules, asked(host={**values, "UNTIL": "2027-01-31", "ODD": SECRET}))
    assert SECRET not in f"{row}"
    return row


@pytest.mark.parametrize(
    ("value", "rule", "mark", "seen"),
    [
        ("x", {}, Mark.PASSED, "set"),
        (None, {}, Mark.FAILED, "not set on the host"),
        ("", {}, Mark.FAILED, "not set on the host"),
        (" \t", {}, Mark.FAILED, "not set on the host"),
        (SECRET, {"pattern": "^.{32,}$"}, Mark.PASSED, "set"),
        (SECRET, {"pattern": "^.{99,}$"}, Mark.FAILED, "does not fit its pattern"),
        (SECRET, {"forbidden": ("changeme",)}, Mark.FAILED, "holds a forbidden text"),
        (SECRET, {"expires": "2027-02-03"}, Mark.PASSED, "set, good for 14 d more"),
        (SECRET, {"expires": "2027-02-02"}, Mark.WARNED, "set, good for 13 d more"),
        (SECRET, {"expires": "2027-01-20"}, Mark.WARNED, "set, good for 12 h more"),
        (SECRET, {"expires": "2027-01-19"}, Mark.FAILED, "expired 12 h ago"),
        (SECRET, {"expires": "2027-01-31", "warn_before": "0s"}, Mark.PASSED, "set, good for 11 d more"),
        (SECRET, {"expires_in": "UNTIL"}, Mark.WARNED, "set, good for 11 d more"),
        (SECRET, {"expires_in": "ODD"}, Mark.FAILED, "ODD holds no date such as 2027-01-31"),
        (SECRET, {"expires_in": "GONE"}, Mark.FAILED, "GONE holds no date such as 2027-01-31"),
        ("x" * 4097, {"pattern": "x"}, Mark.FAILED, "longer than 4096 characters"),
    ],
)
def test_a_setting_is_judged_without_being_shown(
    value: str | None, rule: dict[str, object], mark: Mark, seen: str
) -> None:
    row = setting(value, **rule)
    assert (row.mark, row.value) == (mark, seen)


def test_a_setting_of_the_runner_is_looked_for_there() -> None:
    rules = ReleaseRules(settings=(Setting.model_validate({"name": "TOKEN", "from": "runner"}),))
    (row,) = release_list(rules, asked(host={"TOKEN": "x"}, runner={}))
    assert row.value == "not set in the job's environment"
    (row,) = release_list(rules, asked(host={}, runner={"TOKEN": "x"}))
    assert row.mark is Mark.PASSED


def test_of_several_processes_the_worst_value_counts() -> None:
    rules = ReleaseRules(settings=(Setting(name="KEY", pattern="^.{8,}$"),))
    good, bad = {"KEY": "long enough"}, {"KEY": "short"}
    for places, mark in (([good, bad], Mark.FAILED), ([bad, good], Mark.FAILED), ([good, {}], Mark.PASSED)):
        (row,) = release_list(rules, replace(asked(), values={"host": places}))
        assert row.mark is mark
