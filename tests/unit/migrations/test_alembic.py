"""Alembic's own words, as alembic 1.20.1 printed them."""

import pytest

from ci_lib.domain.schema import Ahead, Schema, Unreadable
from ci_lib.migrations.alembic import Alembic
from ci_lib.ports.protocols import Ran

LOG = "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.\n"
NO_WAY_BACK = (
    "INFO  [alembic.runtime.migration] Context impl MySQLImpl.\n"
    "INFO  [alembic.runtime.migration] Will assume non-transactional DDL.\n"
)
WAY_BACK = NO_WAY_BACK.replace("non-", "").replace("MySQL", "Postgresql")
UPGRADE = (
    "INFO  [alembic.runtime.migration] Running upgrade  -> 0001, orders\n"
    "INFO  [alembic.runtime.migration] Running upgrade 0001 -> 0002, a note for each order\n"
)
LOST = Ran(code=255, stdout="FAILED: Can't locate revision identified by '9999'\n", stderr=LOG)


def read(heads: str, current: str) -> Schema:
    return Alembic().read((Ran(code=0, stdout=heads), Ran(code=0, stdout=current, stderr=LOG)))


@pytest.mark.parametrize(
    ("heads", "current", "schema"),
    [
        ("0002 (head)\n", "", Schema(current=(), heads=("0002",), pending=("0002",))),
        ("0002 (head)\n", "0001\n", Schema(current=("0001",), heads=("0002",), pending=("0002",))),
        ("0002 (head)\n", "0002 (head)\n", Schema(current=("0002",), heads=("0002",))),
        (
            "b2 (billing) (head)\na9 (head)\n",
            "a9 (head)\na1 (branchpoint)\n",
            Schema(current=("a1", "a9"), heads=("a9", "b2"), pending=("b2",)),
        ),
        ("", "", Schema(current=(), heads=())),
    ],
)
def test_heads_and_current_revisions_are_read(heads: str, current: str, schema: Schema) -> None:
    assert read(heads, current) == schema


def test_a_revision_that_the_image_does_not_know_is_no_damage_but_a_newer_release() -> None:
    with pytest.raises(Ahead, match="9999"):
        Alembic().read((Ran(code=0, stdout="0001 (head)\n"), LOST))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Ran(
                code=1,
                stderr="Traceback (most recent call last):\n"
                "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection refused\n"
                "(Background on this error at: https://sqlalche.me/e/20/e3q8)\n",
            ),
            "sqlalchemy.exc.OperationalError: \\(psycopg2.OperationalError\\) connection refused",
        ),
        (Ran(code=127, stderr="sh: alembic: not found\n"), "not found"),
        (
            Ran(code=255, stdout="FAILED: No 'script_location' key found in configuration.\n"),
            "script_location",
        ),
        (Ran(code=0, stdout="Welcome to the container!\n"), "'Welcome to the container!' is not a revision"),
    ],
)
def test_what_does_not_tell_is_told_with_its_reason(answer: Ran, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Alembic().read((Ran(code=0, stdout="0001 (head)\n"), answer))


def test_the_revision_that_was_announced_last_is_blamed() -> None:
    failed = Ran(code=1, stderr=LOG + UPGRADE + "sqlalchemy.exc.ProgrammingError: no\n")
    assert Alembic().blamed(failed) == "0002 a note for each order"
    assert Alembic().blamed(Ran(code=1, stderr=LOG)) == ""
    down = Ran(code=1, stderr="INFO  [alembic] Running downgrade 0002 -> 0001, a note\n")
    assert Alembic().blamed(down) == "0001 a note"


@pytest.mark.parametrize(("log", "whole"), [(NO_WAY_BACK, False), (WAY_BACK, True), ("", None)])
def test_its_log_tells_whether_a_failed_migration_is_taken_back(log: str, whole: bool | None) -> None:
    answers = (Ran(code=0, stdout="0001 (head)\n"), Ran(code=0, stdout="0001 (head)\n", stderr=log))
    assert Alembic().read(answers).whole is whole


def test_commands_are_called_as_the_team_calls_them() -> None:
    tool = Alembic(program=("uv", "run", "alembic"))
    assert tool.apply() == ("uv", "run", "alembic", "upgrade", "head")
    assert tool.down(("0001",)) == (("uv", "run", "alembic", "downgrade", "0001"), {})
    assert tool.down(())[0][-1] == "base"
