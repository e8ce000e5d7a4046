"""The shape of a stack's ``backup:``: what is saved, where, and how many are kept."""

from pydantic import Field

from ci_lib.config.base import Model, ServiceName
from ci_lib.config.patterns import SQL


class Postgres(Model):
    """A database to dump, in a service of the stack."""

    service: ServiceName
    """The database's service."""
    user: str = Field(default="postgres", pattern=SQL)
    """Who connects, inside the container."""
    database: str = Field(default="postgres", pattern=SQL)
    """What is dumped."""


class Backup(Model):
    """What is saved before a switch."""

    enabled: bool | None = None
    """Whether one is made before every switch; unset: in production, before the schema changes."""
    path: str = "/srv/backups/{stack}"
    """Folder on the host; each backup is a folder named by its time."""
    keep: int = Field(default=10, ge=1)
    """How many are kept; the newest good one always is."""
    postgres: tuple[Postgres, ...] = ()
    """Databases to dump; Compose and environment files are saved in any case."""
