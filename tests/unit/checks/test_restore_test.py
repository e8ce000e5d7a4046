from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from ci_lib.domain.backups import Saved
from ci_lib.domain.outcome import CheckResult, Mark
from tests.fakes import START
from tests.unit.checks.places import Place


@dataclass
class Backups:
    """One backup of some age, whose test has one row."""

    age: timedelta | None = timedelta(hours=1)
    mark: Mark = Mark.PASSED
    limit: float = 0.0

    def fresh(self, now: datetime) -> str:
        raise AssertionError

    def preflight(self, name: str) -> tuple[CheckResult, ...]:
        raise AssertionError

    def listed(self) -> tuple[Saved, ...]:
        if self.age is None:
            return ()
        return (Saved(name="20260102T020405Z", made_at=START - self.age, release=None),)

    def tested(self, saved: Saved, *, limit: float) -> tuple[CheckResult, ...]:
        self.limit = limit
        return (CheckResult(name="db/shop", mark=self.mark, value="2 tables, 3 rows", bound="has tables"),)


def look(backups: Backups, **check: str) -> CheckResult:
    return Place(backups=backups).run(type="restore_test", **check)


def test_a_backup_that_restores_passes_and_says_what_was_in_it() -> None:
    backups = Backups()
    result = look(backups, max_age="24h", timeout="90s")
    assert (result.mark, result.value) == (Mark.PASSED, "20260102T020405Z; db/shop: 2 tables, 3 rows")
    assert result.bound == "the newest backup restores, and is at most 1 d old"
    assert backups.limit == 90


@pytest.mark.parametrize(
    ("backups", "value"),
    [
        (Backups(mark=Mark.FAILED), "20260102T020405Z: db/shop: 2 tables, 3 rows, wanted has tables"),
        (Backups(age=timedelta(hours=25)), "20260102T020405Z is 1 d old"),
        (Backups(age=None), "there is no backup"),
    ],
)
def test_one_that_does_not_is_too_old_or_is_not_there_fails(backups: Backups, value: str) -> None:
    result = look(backups, max_age="24h")
    assert (result.mark, result.value) == (Mark.FAILED, value)


def test_one_that_is_too_old_is_not_restored() -> None:
    backups = Backups(age=timedelta(days=2))
    look(backups, max_age="24h")
    assert backups.limit == 0
