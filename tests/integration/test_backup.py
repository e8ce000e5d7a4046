"""Backups of real databases, before a switch and on demand."""

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.databases import (
    LEGACY,
    MYSQL,
    POSTGRES,
    ROOT_PASSWORD,
    backups,
    manifest,
    mysql,
    postgres,
    sha256,
    shop_with,
)
from tests.integration.shop import Shop
from tests.lab.components import Registry, docker, wait_for
from tests.lab.components import run as lab_run
from tests.lab.images import Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str) -> Shop:
    return shop_with(tmp_path, project, hello, registry, POSTGRES, enabled=True, keep=2)


@pytest.fixture
def both(tmp_path: Path, project: str, hello: Hello, registry: Registry, mariadb_image: str) -> Shop:
    shop = shop_with(tmp_path, project, hello, registry, MYSQL, LEGACY)
    mysql(shop, "CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders VALUES (1), (2)", "shop")
    mysql(shop, "CREATE DATABASE legacy; CREATE TABLE legacy.items (id INT)")
    return shop


def stopped(shop: Shop, *words: str) -> str:
    """The cause and the hint of a backup that failed, and left nothing behind."""
    before = backups(shop)
    failed = shop.call(*(words or ("backup", "staging")))
    assert (failed.code, failed.result["reason_code"]) == (3, "backup"), failed
    assert backups(shop) == before
    return f"{failed.result['failure']['cause']} {failed.result['failure']['hint']}"


def test_a_backup_holds_files_and_a_dump_that_was_read_back_and_names_the_release(shop: Shop) -> None:
    (shop.run_dir("staging") / ".env").write_text("TOKEN=not-for-everybody\n")
    assert backups(shop) == [], "nothing ran before the first deploy"
    done = shop.call("backup", "staging")
    assert (done.code, done.status) == (0, "passed"), done
    (folder,) = backups(shop)
    known = manifest(folder)
    assert set(known["files"]) == {
        "files/docker-compose.yml",
        "files/compose.override.yaml",
        "files/.env",
        "db-shop.dump",
    }
    for name, digest in known["files"].items():
        assert sha256(folder / name) == digest
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    dump = folder / "db-shop.dump"
    assert dump.read_bytes().startswith(b"PGDMP")
    (database,) = known["databases"]
    assert database.items() >= {"service": "db", "database": "shop", "file": "db-shop.dump"}.items()
    assert (database["sha256"], database["size"]) == (sha256(dump), dump.stat().st_size)
    assert (known["release"]["version"], known["name"]) == ("sha-1", folder.name)
    assert any(sha256(dump) in note for note in done.result["steps"][0]["notes"])
    (row,) = shop.call("backup", "staging", "--list").result
    assert (row["name"], row["version"], row["databases"]) == (folder.name, "sha-1", ["db/shop"])


def test_a_database_that_is_down_stops_the_deploy_and_the_last_good_backup_stays(shop: Shop) -> None:
    assert shop.call("backup", "staging").code == 0
    (good,) = backups(shop)
    container = shop.containers("staging", "db")[0]["Id"]
    docker("stop", container)
    shop.release("sha-2")
    for _ in range(2):
        assert "no container of db runs" in stopped(shop, "deploy", "staging", "--version", "sha-2")
        assert shop.version("staging", "nginx") == "web-sha-1"
    docker("start", container)
    wait_for(lambda: shop.call("post-verify", "staging").code == 0, "the database", limit=60)

    done = shop.call("deploy", "staging", "--version", "sha-2")
    assert done.code == 0, done
    assert good in backups(shop)
    assert shop.call("backup", "staging").code == 0
    assert len(backups(shop)) == 2
    assert good not in backups(shop)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB where the shop's backups go."""
    folder = tmp_path / "srv" / "backups"
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    lab_run("mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder))
    yield folder
    lab_run("umount", str(folder))


def test_a_full_disk_stops_the_deploy_says_what_to_do_and_is_not_left_full(
    full_disk: Path, shop: Shop
) -> None:
    free = shutil.disk_usage(full_disk).free
    postgres(shop, "CREATE TABLE big AS SELECT md5(n::text) AS hash FROM generate_series(1, 20000) n")
    shop.release("sha-2")
    said = stopped(shop, "deploy", "staging", "--version", "sha-2")
    assert "no space left" in said.lower()
    assert "free space on the host, lower `backup.keep`, or move `backup.path`" in said
    assert shop.version("staging", "nginx") == "web-sha-1"
    assert shutil.disk_usage(full_disk).free >= free - 4096


def test_mariadb_and_the_teams_own_dump_are_saved_and_no_password_leaves_the_container(both: Shop) -> None:
    done = both.call("backup", "staging")
    assert done.code == 0, done
    (folder,) = backups(both)
    dumped, taken = manifest(folder)["databases"]
    text = gzip.decompress((folder / dumped["file"]).read_bytes()).decode()
    assert text.startswith("ALTER DATABASE CHARACTER SET = ")
    assert "INSERT INTO `orders`" in text
    assert text.splitlines()[-1].startswith("-- Dump completed")
    assert taken["file"].startswith("mysql_backup/")
    assert sha256(folder / taken["file"]) == taken["sha256"]
    told = done.out + done.err + "".join(path.read_text() for path in both.records.rglob("*.jsonl"))
    assert ROOT_PASSWORD not in told + text

    second = both.call("backup", "staging")
    assert second.code == 0, "only the new file counts, although the folder holds the last one too"


def test_a_dump_that_ends_early_is_not_taken_for_one(both: Shop) -> None:
    container = both.containers("staging", "mysql")[0]["Id"]
    half = "printf '#!/bin/sh\\nmysqldump.real \"$@\" | head -n 30\\n' > mariadb-dump; chmod +x mariadb-dump"
    docker("exec", container, "sh", "-c", f"cd /usr/bin; mv mariadb-dump mysqldump.real; {half}")
    assert "the dump is not complete" in stopped(both)


def test_a_service_that_fails_leaves_nothing_or_writes_elsewhere_stops_the_backup(both: Shop) -> None:
    folder = both.run_dir("staging") / "backups"
    shutil.rmtree(folder, ignore_errors=True)
    elsewhere = both.folder / "elsewhere"
    (elsewhere / "mysql").mkdir(parents=True)
    folder.symlink_to(elsewhere)
    assert "leads out of the run directory" in stopped(both)
    folder.unlink()
    ops = both.folder / "stacks" / "shop" / "docker-compose.ops.yml"
    good = ops.read_text()
    for command, said in (
        ("exit 3", "exit code 3"),
        ("true", "new files in"),
        ("touch /backups/a /backups/b", "a, b"),
        ("touch /backups/empty", "empty is empty or cannot be read"),
    ):
        both.run_dir("staging").joinpath(ops.name).write_text(_commanded(good, command))
        assert said in stopped(both)


def test_a_service_that_does_not_end_is_ended_at_the_time_limit(both: Shop) -> None:
    both.stack["limits"] = {"backup": "8s"}
    both.stack["backup"]["databases"] = [LEGACY]
    both.write()
    ops = both.run_dir("staging") / "docker-compose.ops.yml"
    ops.write_text(_commanded(ops.read_text(), "exec sleep 600"))
    assert "dump by the service mysql_backup took longer than" in stopped(both)
    assert docker("ps", "-aq", "--filter", f"name={both.project}-.*-once-") == ""


def _commanded(text: str, command: str) -> str:
    data = json.loads(text)
    data["services"]["mysql_backup"]["command"] = [command]
    return json.dumps(data)
