"""Real Alembic against a real PostgreSQL: the schema follows the release, or everything stays as it was."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.orders import Orders
from tests.integration.shop import Called
from tests.lab import images
from tests.lab.components import Registry, Sshd, docker, wait_for
from tests.lab.images import Hello

AGREED = ("--reason", "the reports cannot read the note", "--approver", "bob")


@pytest.fixture
def orders(tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str) -> Orders:
    database = f"{registry.address}/acme/postgres:15"
    images.push(postgres_image, database)
    return Orders(folder=tmp_path, project=project, hello=hello, database=database)


def ended(called: Called, code: int, reason: str) -> dict[str, Any]:
    assert (called.code, called.result["reason_code"]) == (code, reason), called
    return called.result


def told(result: dict[str, Any]) -> str:
    return f"{result['failure']['cause']} | {result['failure']['hint']}"


def test_from_a_first_deploy_over_a_rehearsed_promotion_to_a_rollback_with_its_schema(orders: Orders) -> None:
    migration, orders.migration = orders.migration, {}
    orders.write()
    for tag in ("v1", "v2"):
        orders.release(tag)
    ended(orders.call("deploy", "staging", "--version", "v1"), 0, "deployed")

    orders.migration = migration
    orders.write()
    refused = ended(orders.call("promote", "production", "--version", "v1"), 10, "not_rehearsed")
    assert "never rehearsed in staging" in told(refused)
    result = ended(orders.call("deploy", "staging", "--version", "v1"), 0, "migrated")
    assert result["status"] == "unchanged"
    assert result["schema"]["before"]["current"] == []
    assert orders.schema("staging") == "0001"

    result = ended(orders.call("promote", "production", "--version", "v1"), 0, "deployed")
    names = [step["name"] for step in result["steps"]]
    assert names.index("migrate") < names.index("start"), "the database first, then its schema, then the rest"
    assert (orders.schema("production"), orders.backups()) == ("0001", [])

    ended(orders.call("promote", "production", "--version", "v2"), 10, "not_verified")
    ended(orders.call("deploy", "staging", "--version", "v2"), 0, "deployed")
    result = ended(orders.call("promote", "production", "--version", "v2"), 0, "deployed")
    assert result["schema"]["after"]["current"] == ["0002"]
    assert orders.columns("production") == "id,note"
    (saved,) = orders.backups()
    assert str(saved) in result["schema"]["backup"]

    result = ended(orders.call("promote", "production", "--version", "v2"), 0, "unchanged")
    assert [step["mark"] for step in result["steps"] if step["name"].startswith("backup")] == ["skipped"]
    assert len(orders.backups()) == 1

    asked = ended(orders.call("rollback", "production", "--version", "v1"), 12, "policy")
    assert "--schema down" in told(asked)
    back = orders.call("rollback", "production", "--version", "v1", "--schema", "down", *AGREED)
    ended(back, 0, "deployed")
    assert (orders.schema("production"), orders.columns("production")) == ("0001", "id")
    assert orders.sql("production", "SELECT count(*) FROM orders") == "1"
    assert orders.one_offs() == []


def test_what_goes_wrong_leaves_the_old_release_on_the_old_schema_and_says_so(orders: Orders) -> None:
    orders.migration = {"policy": "forward-only", "lock_timeout": "1s"}
    orders.write()
    for tag in ("v1", "v2", "heads", "broken", "slow", "hotfix"):
        orders.release(tag)
    ended(orders.call("deploy", "staging", "--version", "v1"), 0, "deployed")
    before = orders.containers("staging", "backend")[0]["Id"]

    failed = ended(orders.call("deploy", "staging", "--version", "broken"), 3, "migration")
    assert "0002x half of it works" in told(failed)
    assert "no_such_table" in told(failed)
    assert "still stands at 0001" in told(failed)
    several = ended(orders.call("deploy", "staging", "--version", "heads"), 3, "migration")
    assert "0002, 0002b" in told(several)
    assert "alembic merge" in told(several)

    with locked(orders):
        held = ended(orders.call("migrate", "staging", "--version", "v2"), 3, "migration")
    assert "somebody holds a lock" in told(held)
    orders.migration["time_limit"] = "6s"
    orders.write()
    late = ended(orders.call("deploy", "staging", "--version", "slow"), 3, "migration")
    assert "took longer than 6 s" in told(late)
    assert orders.one_offs() == []
    wait_for(lambda: not orders.asleep("staging"), "the end of the statement in the database", limit=40)
    assert orders.columns("staging") == "id"
    assert orders.containers("staging", "backend")[0]["Id"] == before

    del orders.migration["time_limit"]
    orders.write()
    ended(orders.call("migrate", "staging", "--version", "v2"), 0, "migrated")
    ended(orders.call("migrate", "staging", "--version", "v2"), 0, "unchanged")
    assert orders.containers("staging", "backend")[0]["Id"] == before, "what serves was not touched"
    alone = ended(orders.call("deploy", "staging", "--version", "v1"), 0, "unchanged")
    assert any("0002, which this image does not know" in str(step["notes"]) for step in alone["steps"])

    older = ended(orders.call("deploy", "staging", "--version", "hotfix"), 3, "migration")
    assert "`compatible: true`" in told(older)
    orders.migration["compatible"] = True
    orders.write()
    ended(orders.call("deploy", "staging", "--version", "hotfix"), 0, "deployed")
    assert orders.schema("staging") == "0002"

    database = orders.containers("staging", "db")[0]["Id"]
    docker("stop", "-t", "1", database)
    down = ended(orders.call("migrate", "staging", "--version", "v2"), 3, "migration")
    assert "does not tell where the schema stands" in told(down)


@contextmanager
def locked(orders: Orders) -> Iterator[None]:
    """A session holds the table for as long as the block lasts."""
    container = orders.containers("staging", "db")[0]["Id"]
    statement = "BEGIN; LOCK TABLE orders; SELECT pg_sleep(60)"
    docker("exec", "-d", container, "psql", "-U", "shop", "-d", "shop", "-c", statement)
    held = "mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass"
    wait_for(lambda: orders.sql("staging", f"SELECT count(*) FROM pg_locks WHERE {held}") == "1", "the lock")
    yield
    others = "query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()"
    orders.sql("staging", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


def test_a_database_that_takes_no_ddl_back_needs_a_person_who_is_told_where_its_data_are(
    tmp_path: Path, project: str, hello: Hello, registry: Registry, mariadb_image: str
) -> None:
    database = f"{registry.address}/acme/mariadb:10"
    images.push(mariadb_image, database)
    orders = Orders(
        folder=tmp_path, project=project, hello=hello, database=database, mysql=True, saved={"enabled": True}
    )
    for tag in ("v1", "broken"):
        orders.release(tag)
    ended(orders.call("deploy", "staging", "--version", "v1"), 0, "deployed")

    result = ended(orders.call("deploy", "staging", "--version", "broken"), 24, "half_migrated")
    assert result["status"] == "partial"
    assert "nothing says that this database takes DDL back" in told(result)
    (saved,) = orders.backups()
    assert saved.name in result["failure"]["hint"]
    assert orders.sql("staging", "SELECT version_num FROM alembic_version") == "0001"
    assert orders.sql("staging", "SHOW COLUMNS FROM orders LIKE 'half'").startswith("half")
    (serving,) = orders.containers("staging", "backend")
    assert serving["State"]["Running"]
    assert ":v1@" in serving["Config"]["Image"]

    restored = orders.call("restore", "staging", "--backup", saved.name, *AGREED)
    ended(restored, 0, "passed")
    assert orders.sql("staging", "SHOW COLUMNS FROM orders LIKE 'half'") == ""


def test_a_run_that_is_cancelled_or_killed_while_it_migrates_is_cleared_up(
    orders: Orders, sshd: Sshd
) -> None:
    address = f"{sshd.user}@{sshd.host}:{sshd.port}"
    orders.host = {"ssh": address, "known_hosts": str(sshd.known_hosts), "key_env": "DEPLOY_KEY"}
    orders.env = {"DEPLOY_KEY": sshd.private_key.read_text(), "SSH_AUTH_SOCK": ""}
    orders.migration = {"policy": "forward-only", "time_limit": "20s"}
    orders.write()
    for tag in ("v1", "v2", "slow"):
        orders.release(tag)
    ended(orders.call("deploy", "staging", "--version", "v1"), 0, "deployed")

    cancelled = orders.start("deploy", "staging", "--version", "slow")
    wait_for(lambda: orders.asleep("staging"), "the migration", limit=40)
    cancelled.send_signal(signal.SIGTERM)
    cancelled.communicate(timeout=6)
    assert cancelled.returncode == 130
    docker("rm", "-f", *orders.one_offs())  # as the time limit on the host would, half a minute later
    cleared = ended(orders.call("finalize", "staging"), 0, "passed")
    assert any("stands at 0001" in note for note in cleared["notes"])

    wait_for(lambda: not orders.asleep("staging"), "the end of the statement in the database", limit=40)
    killed = orders.start("deploy", "staging", "--version", "slow")
    wait_for(lambda: orders.asleep("staging"), "the migration", limit=40)
    orders.kill(killed)
    docker("rm", "-f", *orders.one_offs())
    wait_for(lambda: not orders.asleep("staging"), "the end of the statement in the database", limit=40)
    result = ended(orders.call("deploy", "staging", "--version", "v2", "--lock-wait", "30"), 0, "deployed")
    assert any("interrupted deploy of slow" in note for note in result["notes"])
    assert (orders.schema("staging"), orders.columns("staging")) == ("0002", "id,note")
