"""What ``doctor`` prints."""

import pytest

from ci_lib.domain.doctor import Row, Seen, missing, ok, unknown, verdict, weak
from ci_lib.domain.reasons import Exit
from ci_lib.report.doctor import doctor


def row(name: str, seen: Seen) -> Row:
    return Row(name=name, wanted="all of it", seen=seen)


TEXT = """\
ok       host web1: answers
weak     branch main: nobody has to review
           wanted: all of it
           next: change it
MISSING  environment production: KEY: not\\nthere
           wanted: all of it
           next: store it
MISSING  environment production: OTHER: not there
           wanted: all of it
UNKNOWN  records: no answer
           wanted: all of it

5 looked at: 1 unknown, 2 missing, 1 weak, 1 ok
"""


def test_what_is_not_there_says_what_is_wanted_and_once_what_to_do() -> None:
    rows = [
        row("host web1", ok("answers")),
        row("branch main", weak("nobody has to review", "change it")),
        row("environment production: KEY", missing("not\nthere", "store it")),
        row("environment production: OTHER", missing("not there", "store it")),
        row("records", unknown("no answer")),
    ]
    assert doctor(rows) == TEXT


@pytest.mark.parametrize(
    ("seen", "ends"),
    [
        ([], Exit.OK),
        ([ok("x"), weak("x")], Exit.OK),
        ([ok("x"), unknown("x")], Exit.CANNOT_DECIDE),
        ([unknown("x"), missing("x"), weak("x")], Exit.CHECK_FAILED),
    ],
)
def test_what_is_missing_fails_and_what_cannot_be_told_does_not_pass(seen: list[Seen], ends: Exit) -> None:
    assert verdict(row("x", each) for each in seen) is ends
