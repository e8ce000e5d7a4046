"""Prisma's own words: its engine cannot be had everywhere, so they are recorded, see recorded/README.md."""

from pathlib import Path

import pytest

from ci_lib.domain.schema import Ahead, Schema, Unreadable
from ci_lib.migrations.prisma import Prisma
from ci_lib.ports.protocols import Ran

RECORDED = Path(__file__).with_name("recorded")
LISTED = Ran(code=0, stdout="20201231000000_init\n20210105000000_orders\nmigration_lock.toml\n")


def status(name: str, code: int = 1) -> Ran:
    """Both streams in one: Prisma writes some of it to standard error."""
    return Ran(code=code, stdout=(RECORDED / f"prisma-{name}.txt").read_text())


def test_what_is_pending_and_what_was_applied() -> None:
    assert Prisma().read((LISTED, status("pending"))) == Schema(
        current=("20201231000000_init",),
        heads=("20210105000000_orders",),
        pending=("20210105000000_orders",),
    )
    assert Prisma().read((LISTED, status("two-pending"))) == Schema(
        current=(),
        heads=("20210105000000_orders",),
        pending=("20201231000000_init", "20210105000000_orders"),
    )
    assert Prisma().read((LISTED, status("up-to-date", 0))) == Schema(
        current=("20210105000000_orders",), heads=("20210105000000_orders",)
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("failed", "an earlier migration failed half-way: 20201231000000_failed"),
        ("unmanaged", "not managed by Prisma Migrate"),
        ("unreachable", "Can't reach database server"),
    ],
)
def test_what_must_not_be_migrated_over(name: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Prisma().read((LISTED, status(name)))


def test_a_database_of_another_history_is_ahead() -> None:
    with pytest.raises(Ahead):
        Prisma().read((LISTED, status("diverged")))


def test_an_image_without_migrations_says_where_they_were_looked_for() -> None:
    with pytest.raises(Unreadable) as caught:
        Prisma().read((Ran(code=2, stderr="ls: prisma/migrations: No such file"), status("pending")))
    assert "migration.folder" in caught.value.hint


def test_a_success_that_says_nothing_is_not_believed() -> None:
    with pytest.raises(Unreadable):
        Prisma().read((LISTED, Ran(code=0, stdout="")))


def test_the_migration_that_failed_is_named() -> None:
    assert Prisma().blamed(status("deploy-failed")) == "20201231000000_failed"
    assert Prisma().apply() == ("npx", "prisma", "migrate", "deploy")
