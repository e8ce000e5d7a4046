"""Data that come back: real databases restored, tried, and brought back when that fails."""

import gzip
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_lib.targets.compose.restore import aside
from tests.integration.databases import (
    AGREED,
    LEGACY,
    MYSQL,
    POSTGRES,
    backups,
    damage,
    mysql,
    postgres,
    rehash,
    shop_with,
)
from tests.integration.shop import Called, Shop
from tests.integration.test_faults import started
from tests.lab.components import Registry, Sshd, docker, wait_for
from tests.lab.images import Hello

ORDERS = "CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders VALUES (1), (2), (3)"
TABLES = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'v') "
TABLES += "AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str) -> Shop:
    """With a PostgreSQL that holds three orders."""
    shop = shop_with(tmp_path, project, hello, registry, POSTGRES)
    postgres(shop, f"{ORDERS}; ALTER DATABASE shop SET work_mem = '5MB'")
    return shop


@pytest.fixture
def every(
    tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str, mariadb_image: str
) -> Shop:
    """With databases of every type."""
    shop = shop_with(tmp_path, project, hello, registry, POSTGRES, MYSQL, LEGACY)
    postgres(shop, ORDERS)
    mysql(shop, f"ALTER DATABASE shop CHARACTER SET utf8mb4; {ORDERS}", "shop")
    mysql(shop, "CREATE PROCEDURE two() SELECT 2", "shop")
    mysql(shop, "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.id = NEW.id + 100", "shop")
    mysql(shop, "CREATE DATABASE legacy; CREATE TABLE legacy.items (id INT)")
    mysql(shop, "INSERT INTO legacy.items VALUES (7)")
    return shop


def backup(shop: Shop) -> Path:
    """Make a backup; its folder."""
    before = set(backups(shop))
    done = shop.call("backup", "staging")
    assert done.code == 0, done
    (folder,) = set(backups(shop)) - before
    return folder


def restore(shop: Shop, folder: Path, verb: str = "restore", *words: str) -> Called:
    return shop.call(verb, "staging", "--backup", folder.name, *AGREED, *words, limit=180)


def serves(shop: Shop) -> str:
    """What the one managed container says it is; it runs."""
    (container,) = shop.containers("staging", "nginx")
    assert container["State"]["Running"]
    return shop.version("staging", "nginx")


def scratch(shop: Shop) -> list[str]:
    """The scratch containers of the shop."""
    label = f"label=deploy-actions.scratch={shop.project}-staging"
    return docker("ps", "-aq", "--filter", label).split()


def kill_tree(process: subprocess.Popen[str]) -> None:
    """As a machine that goes down: the run, and every command it has started here."""
    everybody = [process.pid]
    for pid in everybody:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            everybody += [int(child) for child in task.read_text().split()]
    for pid in everybody:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def ledger(shop: Shop) -> Iterator[dict[str, object]]:
    for path in shop.records.rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            yield json.loads(line)["body"]


def test_every_database_becomes_what_was_dumped_and_twice_is_the_same(every: Shop) -> None:
    folder = backup(every)
    postgres(every, "DROP TABLE orders; CREATE SCHEMA later; CREATE TABLE later.junk (id INT)")
    mysql(every, "DROP TABLE orders; CREATE TABLE junk (id INT); DROP PROCEDURE two", "shop")
    mysql(every, "DELETE FROM legacy.items")
    started_at = every.containers("staging", "nginx")[0]["Id"]
    for _ in range(2):
        done = restore(every, folder)
        assert (done.code, done.status) == (0, "passed"), done
        assert postgres(every, "SELECT count(*) FROM orders") == "3"
        assert postgres(every, TABLES) == "orders"
        assert mysql(every, "SHOW TABLES; SELECT SUM(id) FROM orders; CALL two()", "shop") == "orders\n6\n2"
        assert mysql(every, "INSERT INTO orders VALUES (1); SELECT MAX(id) FROM orders", "shop") == "101"
        assert mysql(every, "SELECT @@character_set_database", "shop") == "utf8mb4"
        assert mysql(every, "SELECT id FROM legacy.items") == "7"
        assert serves(every) == "web-sha-1"
    assert every.containers("staging", "nginx")[0]["Id"] == started_at, "stopped and started, not made anew"
    bodies = [body for body in ledger(every) if body["type"] == "restore"]
    assert [(body["phase"], body["backup"], body["approver"]) for body in bodies] == [
        ("intent", folder.name, "bob"),
        ("outcome", folder.name, "bob"),
    ] * 2
    assert [row["version"] for row in every.call("rollback", "staging", "--list").result] == ["sha-1"]
    assert every.call("status", "staging").code == 0


def test_a_broken_dump_fails_test_and_restore_and_the_data_of_before_serve(every: Shop) -> None:
    folder = backup(every)
    whole = (folder / "db-shop.dump").read_bytes()
    postgres(every, "INSERT INTO orders VALUES (4)")
    damage(folder / "db-shop.dump")
    refused = restore(every, folder)
    assert (refused.code, refused.result["reason_code"]) == (3, "restore"), refused
    assert "damaged: db-shop.dump" in refused.result["failure"]["cause"]
    tried = every.call("restore-test", "staging", "--backup", folder.name)
    assert (tried.code, tried.result["reason_code"]) == (4, "restore_test"), tried

    # From here on the manifest agrees with the damage, as if it had been there before the hashes.
    postgres_dump, mysql_dump = folder / "db-shop.dump", folder / "mysql-shop.sql.gz"
    good = mysql_dump.read_bytes()
    cut(postgres_dump, whole)
    damage(mysql_dump)
    for dump in (postgres_dump, mysql_dump):
        rehash(folder, dump.name)
    tried = every.call("restore-test", "staging", "--backup", folder.name)
    marks = {row["name"]: row["mark"] for row in tried.result["checks"]}
    failed = {"db/shop": "failed", "mysql/shop": "failed"}
    assert marks == {"hashes": "passed", **failed, "mysql_backup": "passed"}, tried
    assert scratch(every) == []
    comes_back(every, folder)

    postgres_dump.write_bytes(whole)
    half = gzip.decompress(good).replace(b"INSERT INTO `orders`", b"INSERT INTO `nothing`")
    mysql_dump.write_bytes(gzip.compress(half))
    for dump in (postgres_dump, mysql_dump):
        rehash(folder, dump.name)
    comes_back(every, folder)


def cut(path: Path, whole: bytes) -> None:
    """Leave out the end of a dump."""
    path.write_bytes(whole[: len(whole) * 2 // 3])


def comes_back(shop: Shop, folder: Path) -> None:
    """A restore of this backup fails, and the data of before serve."""
    failed = restore(shop, folder)
    assert (failed.code, failed.status) == (20, "rolled_back"), failed
    assert failed.result["failure"]["step"] == "restore_backup"
    assert postgres(shop, "SELECT count(*) FROM orders") == "4"
    assert mysql(shop, "SELECT COUNT(*) FROM orders", "shop") == "3"
    assert serves(shop) == "web-sha-1"


def test_a_machine_that_dies_while_it_restores_has_the_data_of_before_after_finalize(shop: Shop) -> None:
    slow = "CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(0.05) IS NOT NULL'; "
    slow += "CREATE TABLE many (id INT CHECK (slow())); "
    slow += "INSERT INTO many SELECT generate_series(1, 40)"
    postgres(shop, slow)
    folder = backup(shop)
    postgres(shop, "ALTER TABLE many DROP CONSTRAINT many_check; INSERT INTO orders VALUES (4)")
    process = shop.start("restore", "staging", "--backup", folder.name, *AGREED)
    wait_for(lambda: started(shop, "restore_backup") and _aside(shop), "the database to lie aside", limit=60)
    kill_tree(process)
    postgres(shop, f"ALTER DATABASE {aside('shop')} ALLOW_CONNECTIONS true", "template1")
    # As somebody did between the safety backup and the stop.
    postgres(shop, "INSERT INTO orders VALUES (5)", aside("shop"))

    cleared = shop.call("finalize", "staging", limit=180)
    assert (cleared.code, cleared.result["reason_code"]) == (20, "recovered"), cleared
    assert postgres(shop, "SELECT count(*) FROM orders") == "5"
    assert postgres(shop, "SHOW work_mem") == "5MB"
    assert not _aside(shop)
    assert serves(shop) == "web-sha-1"
    done = restore(shop, folder)
    assert done.code == 0, done
    assert postgres(shop, "SELECT count(*) FROM orders") == "3"


def _aside(shop: Shop) -> bool:
    names = postgres(shop, "SELECT string_agg(datname, ',') FROM pg_database", "template1")
    return aside("shop") in names


def test_a_user_who_may_not_end_the_sessions_of_others_leaves_the_database_open(shop: Shop) -> None:
    postgres(shop, "CREATE ROLE clerk LOGIN CREATEDB; ALTER DATABASE shop OWNER TO clerk")
    postgres(shop, "ALTER TABLE orders OWNER TO clerk")
    config = json.loads((shop.folder / "deploy.yml").read_text())
    config["stacks"]["shop"]["backup"]["databases"][0]["user"] = "clerk"
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    folder = backup(shop)
    container = shop.containers("staging", "db")[0]["Id"]
    psql = ["docker", "exec", "-i", container, "psql", "-U", "shop", "-qAt", "shop"]
    with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write("SELECT 1;\n")
        session.stdin.flush()
        assert session.stdout.readline() == "1\n"
        failed = restore(shop, folder)
        session.stdin.close()
    assert (failed.code, failed.result["reason_code"]) == (24, "rollback_failed"), failed
    assert "must be a superuser to terminate" in failed.result["failure"]["cause"]
    assert postgres(shop, "SELECT count(*) FROM orders") == "3"
    done = restore(shop, folder)
    assert (done.code, serves(shop)) == (0, "web-sha-1"), done


def test_over_ssh_a_rollback_takes_the_data_of_the_backup_along_and_comes_back_with_those_of_before(
    tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str, sshd: Sshd
) -> None:
    shop = shop_with(tmp_path, project, hello, registry, POSTGRES, sshd=sshd, keep=1)
    postgres(shop, ORDERS)
    folder = backup(shop)
    assert shop.call("restore-test", "staging").code == 0
    shop.release("sha-2")
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    postgres(shop, "ALTER TABLE orders RENAME TO purchases")
    done = restore(shop, folder, "rollback")
    assert (done.code, done.status) == (0, "deployed"), done
    assert (serves(shop), postgres(shop, TABLES)) == ("web-sha-1", "orders")
    assert folder in backups(shop), "the safety backup must not push out the one that is put back"

    newer = backups(shop)[-1]
    config = json.loads((shop.folder / "deploy.yml").read_text())
    no = {"name": "no", "type": "script", "command": ["false"], "tries": 1}
    config["stacks"]["shop"]["checks"].append(no)
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    failed = restore(shop, newer, "rollback", "--version", "sha-2")
    assert (failed.code, failed.status) == (20, "rolled_back"), failed
    assert (serves(shop), postgres(shop, TABLES)) == ("web-sha-1", "orders")


def test_a_restore_test_leaves_nothing_behind_and_is_a_check_of_the_stack(shop: Shop) -> None:
    folder = backup(shop)
    process = shop.start("restore-test", "staging")
    wait_for(lambda: bool(scratch(shop)), "the scratch container", limit=60)
    kill_tree(process)
    assert scratch(shop), "nobody could tidy up"
    tried = shop.call("restore-test", "staging")
    assert (tried.code, tried.result["checks"][1]["value"]) == (0, "1 tables, 3 rows"), tried
    assert scratch(shop) == []

    check = {"name": "backup restores", "type": "restore_test", "max_age": "24h"}
    shop.stack = {**shop.stack, "verify": [check]}
    shop.write()
    verified = shop.call("post-verify", "staging")
    assert verified.code == 0, verified
    body = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(body | {"made_at": "2020-01-01T00:00:00Z"}, indent=1))
    too_old = shop.call("post-verify", "staging")
    assert (too_old.code, too_old.result["reason_code"]) == (4, "checks"), too_old
