"""Backups of a real PostgreSQL, before a switch and on demand."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.integration.shop import Shop
from tests.lab import images
from tests.lab.components import Registry, docker, wait_for
from tests.lab.images import Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello, registry: Registry, postgres_image: str) -> Shop:
    reference = f"{registry.address}/acme/postgres:15"
    images.push(postgres_image, reference)
    database = {
        "image": reference,
        "environment": {"POSTGRES_PASSWORD": "s3cret", "POSTGRES_USER": "shop", "POSTGRES_DB": "shop"},
        "healthcheck": {"test": ["CMD", "pg_isready", "-U", "shop"], "interval": "1s", "retries": 30},
    }
    ready = {"name": "database", "type": "postgres", "service": "db", "tries": 10}
    shop = Shop(
        folder=tmp_path,
        project=project,
        hello=hello,
        services={"db": database},
        stack={
            "checks": [ready],
            "backup": {
                "enabled": True,
                "path": str(tmp_path / "srv" / "backups" / "{stack}"),
                "keep": 2,
                "postgres": [{"service": "db", "user": "shop", "database": "shop"}],
            },
        },
    )
    shop.release("sha-1")
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert first.code == 0, first
    return shop


def backups(shop: Shop) -> list[Path]:
    folder = shop.folder / "srv" / "backups" / "shop"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_backup_holds_files_and_a_dump_that_was_read_back(shop: Shop) -> None:
    (shop.run_dir("staging") / ".env").write_text("TOKEN=not-for-everybody\n")
    assert backups(shop) == [], "nothing ran before the first deploy"
    done = shop.call("backup", "staging")
    assert (done.code, done.status) == (0, "passed"), done
    (folder,) = backups(shop)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {
        "files/docker-compose.yml",
        "files/compose.override.yaml",
        "files/.env",
        "db-shop.dump",
    }
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "db-shop.dump").read_bytes().startswith(b"PGDMP")


def test_a_database_that_is_down_stops_the_deploy_and_the_last_good_backup_stays(shop: Shop) -> None:
    assert shop.call("backup", "staging").code == 0
    (good,) = backups(shop)
    container = shop.containers("staging", "db")[0]["Id"]
    docker("stop", container)
    shop.release("sha-2")
    for _ in range(2):
        stopped = shop.call("deploy", "staging", "--version", "sha-2")
        assert (stopped.code, stopped.result["reason_code"]) == (3, "backup"), stopped
        assert shop.version("staging", "backend") == "sha-1"
    assert good in backups(shop)
    assert len(backups(shop)) == 2, "one good, one partial at the most"

    docker("start", container)
    wait_for(
        lambda: shop.containers("staging", "db")[0]["State"]["Health"]["Status"] == "healthy", "the database"
    )
    done = shop.call("deploy", "staging", "--version", "sha-2")
    assert done.code == 0, done
    kept = backups(shop)
    assert good in kept
    assert not [path for path in kept if path.name.endswith(".partial")]

    assert shop.call("backup", "staging").code == 0
    assert len(backups(shop)) == 2
    assert good not in backups(shop)
