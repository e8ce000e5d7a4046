"""A small shop with a PostgreSQL, a MariaDB, and the team's own one-off dump of the latter."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.integration.shop import Shop
from tests.integration.test_ssh import remote_shop
from tests.lab import images
from tests.lab.components import Registry, Sshd, docker
from tests.lab.images import Hello

ROOT_PASSWORD = "s3cret-of-root"
OPS = "docker-compose.ops.yml"
AGREED = ("--reason", "orders were deleted by hand", "--approver", "bob")

_DUMP = 'MYSQL_PWD="$PASSWORD" mariadb-dump -h mysql -uroot --databases legacy > /backups/"$(date +%s%N)".sql'
_LOAD = 'MYSQL_PWD="$PASSWORD" mariadb -h mysql -uroot < "$BACKUP_FILE"'

POSTGRES = {"type": "postgres", "service": "db", "user": "shop", "database": "shop"}
MYSQL = {
    "type": "mysql",
    "service": "mysql",
    "user": "root",
    "database": "shop",
    "password_env": "MARIADB_ROOT_PASSWORD",
}
LEGACY = {
    "type": "service",
    "service": "mysql_backup",
    "files": [OPS],
    "folder": "backups/mysql",
    "restore": {"service": "mysql_restore", "variable": "BACKUP_FILE", "folder": "/backups"},
    "test": {"engine": "mysql", "service": "mysql"},
}


def shop_with(
    tmp_path: Path,
    project: str,
    hello: Hello,
    registry: Registry,
    *databases: dict[str, Any],
    sshd: Sshd | None = None,
    **backup: Any,
) -> Shop:
    """A shop that runs sha-1 beside the servers that `databases` need, whose backups have those settings.

    With `sshd` it is on a host behind SSH.
    """
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    if sshd is not None:
        reached = remote_shop(tmp_path, project, hello, sshd)
        shop.host, shop.env = reached.host, reached.env
    ready = []
    if any(database["type"] == "postgres" for database in databases):
        shop.services["db"] = {
            "image": f"{registry.address}/acme/postgres:15",
            "environment": {"POSTGRES_PASSWORD": "s3cret", "POSTGRES_USER": "shop", "POSTGRES_DB": "shop"},
        }
        images.push(images.build_postgres(), f"{registry.address}/acme/postgres:15")
        ready.append({"name": "postgres", "type": "postgres", "service": "db", "tries": 20})
    if any(database["type"] != "postgres" for database in databases):
        mariadb = f"{registry.address}/acme/mariadb:10"
        images.push(images.build_mariadb(), mariadb)
        environment = {"MARIADB_ROOT_PASSWORD": ROOT_PASSWORD, "MARIADB_DATABASE": "shop"}
        shop.services["mysql"] = {"image": mariadb, "environment": environment}
        ready.append({"name": "mysql", "type": "mysql", "service": "mysql", "tries": 20})
        _operations(shop, mariadb)
    path = str(tmp_path / "srv" / "backups" / "{stack}")
    shop.stack = {"checks": ready, "backup": {"path": path, "databases": list(databases), **backup}}
    shop.write()
    shop.release("sha-1")
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert first.code == 0, first
    return shop


def _operations(shop: Shop, image: str) -> None:
    """The team's own Compose file for its dumps."""
    one_off = {
        "image": image,
        "environment": {"PASSWORD": ROOT_PASSWORD},
        "volumes": ["./backups/mysql:/backups"],
        "entrypoint": ["/bin/sh", "-euc"],
        "depends_on": ["mysql"],
        "profiles": ["ops"],
    }
    services = {
        "mysql_backup": {**one_off, "command": [_DUMP.replace("$", "$$")]},
        "mysql_restore": {**one_off, "command": [_LOAD.replace("$", "$$")]},
    }
    (shop.folder / "stacks" / "shop" / OPS).write_text(json.dumps({"services": services}))


def backups(shop: Shop) -> list[Path]:
    """Every folder of a backup, oldest first, unfinished ones too."""
    folder = shop.folder / "srv" / "backups" / "shop"
    return sorted(path for path in folder.iterdir()) if folder.exists() else []


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def postgres(shop: Shop, sql: str, database: str = "shop") -> str:
    """Run SQL in the shop's PostgreSQL."""
    container = shop.containers("staging", "db")[0]["Id"]
    argv = ("psql", "-U", "shop", "-v", "ON_ERROR_STOP=1", "-Atc", sql, database)
    return docker("exec", container, *argv).strip()


def mysql(shop: Shop, sql: str, database: str = "") -> str:
    """Run SQL in the shop's MariaDB."""
    container = shop.containers("staging", "mysql")[0]["Id"]
    argv = ("mariadb", "-uroot", f"-p{ROOT_PASSWORD}", "-NBe", sql, *([database] if database else []))
    return docker("exec", container, *argv).strip()


def damage(path: Path) -> None:
    """Flip bits in the middle of a file."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(255 - byte for byte in data[middle : middle + 64])
    path.write_bytes(data)


def rehash(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed: nothing but the dump itself can tell then."""
    body = manifest(folder)
    body["files"][name] = sha256(folder / name)
    for item in body["databases"]:
        if item["file"] == name:
            item["sha256"] = body["files"][name]
    (folder / "manifest.json").write_text(json.dumps(body, indent=1))
