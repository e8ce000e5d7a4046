"""The shape of a stack's ``backup:``: what is saved, where, and how many are kept."""

from typing import Annotated, Literal

from pydantic import Field

from ci_lib.config.base import EnvName, Model, ServiceName
from ci_lib.config.patterns import SQL


class DatabaseBase(Model):
    """What every database has."""

    service: ServiceName
    """The database's service; with `type: service` the one that makes the dump."""
    allow_empty: bool = False
    """Whether a backup without a single table passes `restore-test`."""


class Postgres(DatabaseBase):
    """A PostgreSQL database, dumped and restored inside its container."""

    type: Literal["postgres"]
    """The kind of database."""
    user: str = Field(default="postgres", pattern=SQL)
    """Who connects, inside the container; must be allowed to create databases to restore one."""
    database: str = Field(default="postgres", pattern=SQL)
    """What is dumped."""


class Mysql(DatabaseBase):
    """A MySQL or MariaDB database, dumped and restored inside its container."""

    type: Literal["mysql"]
    """The kind of database."""
    user: str = Field(default="root", pattern=SQL)
    """Who connects, inside the container."""
    database: str = Field(pattern=SQL)
    """What is dumped."""
    password_env: EnvName
    """The variable *inside the container* that holds the password; `NAME_FILE`, with a path, does as well."""


class RestoreService(Model):
    """The one-off service that puts a dump back."""

    service: ServiceName
    """The service."""
    variable: EnvName
    """The variable in which it is told the path of the dump."""
    folder: str = Field(min_length=1)
    """The path of `folder` inside its container."""


class DumpTest(Model):
    """How `restore-test` reads a dump that a service of the stack has made."""

    engine: Literal["postgres", "mysql"]
    """Whose dump it is: SQL, plain or gzipped, as mysqldump or pg_dump write it; or pg_dump's own format."""
    service: ServiceName
    """The database's service: the test uses the image of its container."""


class ServiceDump(DatabaseBase):
    """A dump that a one-off service of the stack makes."""

    type: Literal["service"]
    """The kind of database."""
    files: tuple[str, ...] = ()
    """Further Compose files inside `source` that define the service, such as `docker-compose.ops.yml`."""
    folder: str = Field(min_length=1)
    """Where it leaves its one new file, relative to the run directory."""
    restore: RestoreService | None = None
    """How a dump is put back; without it this database cannot be restored."""
    test: DumpTest | None = None
    """How a dump is tested; without it `restore-test` does not pass."""


Database = Annotated[Postgres | Mysql | ServiceDump, Field(discriminator="type")]


class Backup(Model):
    """What is saved before a switch."""

    enabled: bool | None = None
    """Whether one is made before every switch; unset: in production, before the schema changes."""
    path: str = "/srv/backups/{stack}"
    """Folder on the host; each backup is a folder named by its time."""
    keep: int = Field(default=10, ge=1)
    """How many are kept; the newest good one always is."""
    databases: tuple[Database, ...] = ()
    """Databases to dump; Compose and environment files are saved in any case."""
