"""A service with a database and migrations, deployed by the real command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.shop import Shop
from tests.lab import images
from tests.lab.components import docker

REVISIONS = {
    "v1": ("0001_orders",),
    "hotfix": ("0001_orders",),
    "v2": ("0001_orders", "0002_note"),
    "heads": ("0001_orders", "0002_note", "0002_other"),
    "broken": ("0001_orders", "0002_broken"),
    "slow": ("0001_orders", "0002_slow"),
}
"""Version of the service → the migrations in its image."""


@dataclass
class Orders(Shop):
    """`backend` migrates and asks the database `db`, which the same stack brings along."""

    database: str = ""
    mysql: bool = False
    saved: dict[str, Any] = field(default_factory=dict)
    migration: dict[str, Any] = field(default_factory=lambda: {"policy": "reversible"})

    def compose_services(self) -> dict[str, Any]:
        kind = "MARIADB" if self.mysql else "POSTGRES"
        environment = {"USER": "shop", "PASSWORD": "s3cret"}
        environment |= {"DATABASE": "shop", "ROOT_PASSWORD": "s3cret"} if self.mysql else {"DB": "shop"}
        client = ["mariadb-admin", "ping"] if self.mysql else ["pg_isready", "-U", "shop"]
        database = {
            "image": self.database,
            "environment": {f"{kind}_{name}": value for name, value in environment.items()},
            "healthcheck": {"test": ["CMD", *client, "-h", "127.0.0.1"], "interval": "1s", "retries": 30},
        }
        driver = "mysql+pymysql" if self.mysql else "postgresql"
        backend = {
            "image": f"{self.hello.reference('acme/orders')}:source",
            "environment": {"DATABASE_URL": f"{driver}://shop:s3cret@db/shop"},
            "depends_on": {"db": {"condition": "service_healthy"}},
            "stop_grace_period": "1s",
            "cpus": "1",
            "mem_limit": "256m",
        }
        return {"db": database, "backend": backend} | self.services

    def settings(self, srv: str, ready: dict[str, Any]) -> dict[str, Any]:
        base = super().settings(srv, ready)
        compose = base["compose"] | {"settle": "0s", "one_shot": []}
        orders = {"repository": self.hello.reference("acme/orders"), "services": ["backend"]}
        check = {"name": "ready", "type": "http", "from": "container", "service": "backend", "tries": 10}
        check |= {"url": "http://backend:8000/ready", "delay": "1s"}
        settings = base | {"compose": compose, "images": {"api": orders}, "checks": [check]}
        dump = {"type": "mysql" if self.mysql else "postgres", "service": "db", "database": "shop"}
        dump |= {"password_env": "MARIADB_ROOT_PASSWORD"} if self.mysql else {"user": "shop"}
        backup = {"path": f"{srv}/backups", "databases": [dump]} | self.saved
        return settings | {"backup": backup} | self.migrates()

    def migrates(self) -> dict[str, Any]:
        if not self.migration:
            return {}
        return {"migration": {"tool": "alembic", "service": "backend", **self.migration}}

    def release(self, tag: str, behaviour: str = "good") -> None:
        """Push the service in the version that has this name in `REVISIONS`."""
        del behaviour
        local = images.build_alembic(tag, *REVISIONS[tag])
        images.push(local, f"{self.hello.reference('acme/orders')}:{tag}")

    def sql(self, environment: str, statement: str) -> str:
        """What the database answers."""
        container = self.containers(environment, "db")[0]["Id"]
        client = ("psql", "-U", "shop", "-d", "shop", "-Atc")
        if self.mysql:
            client = ("mariadb", "-ushop", "-ps3cret", "-D", "shop", "-NBe")
        return docker("exec", container, *client, statement).strip()

    def schema(self, environment: str) -> str:
        """The revision that the database itself is at."""
        return self.sql(environment, "SELECT version_num FROM alembic_version")

    def columns(self, environment: str) -> str:
        """The columns of the table, in their order."""
        names = "string_agg(column_name, ',' ORDER BY ordinal_position)"
        where = "information_schema.columns WHERE table_name = 'orders'"
        return self.sql(environment, f"SELECT {names} FROM {where}")

    def asleep(self, environment: str) -> bool:
        """Whether the slow migration is at work in the database."""
        running = "pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        return self.sql(environment, f"SELECT count(*) FROM {running}") == "1"

    def one_offs(self) -> list[str]:
        """The containers of one-off commands that are still there."""
        return docker("ps", "-aq", "--filter", f"name={self.project}-.*-once-").split()

    def backups(self) -> list[Path]:
        return sorted((self.folder / "srv" / "backups").glob("*Z*"))
