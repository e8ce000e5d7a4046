"""The shape of a stack's ``provision:``: database servers, and the databases and users on them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ci_lib.config.base import EnvName, Model, ServiceName
from ci_lib.config.patterns import SQL

SqlName = Annotated[str, StringConstraints(pattern=SQL)]
"""A database's or user's name; it needs no escape inside quotes."""


class Account(Model):
    """The one user of a database."""

    user: SqlName
    """A user that has this database and nothing else; no other database may name it."""
    password_env: EnvName
    """Environment variable of the job that holds the user's password."""


class ServerBase(Model):
    """What every database server has: a service, and databases."""

    service: ServiceName
    """The server's service; everything is done in its running container."""
    databases: dict[SqlName, Account] = Field(min_length=1)
    """Database → its one user. What is on the server beside them is left alone, and named."""


class PostgresServer(ServerBase):
    """A PostgreSQL server, 10 or newer; reached over the socket in its container."""

    type: Literal["postgres"]
    """The kind of server."""
    user: SqlName = "postgres"
    """Its superuser, who needs no password on the socket, as in the official image."""


class MysqlServer(ServerBase):
    """A MariaDB (10.4 or newer) or MySQL (8.0 or newer) server."""

    type: Literal["mysql"]
    """The kind of server."""
    user: SqlName = "root"
    """Its administrator."""
    password_env: EnvName
    """The variable *inside the container* that holds the password; `NAME_FILE`, with a path, does as well."""


Server = Annotated[PostgresServer | MysqlServer, Field(discriminator="type")]
