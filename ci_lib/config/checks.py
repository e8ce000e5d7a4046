"""The checks that deploy.yml can ask for."""

from typing import Annotated, Literal

from pydantic import Field

from ci_lib.config.base import Argv, Model, Port, ServiceName
from ci_lib.config.patterns import CHECK, URL
from ci_lib.config.units import Duration, TimeLimit


class CheckBase(Model):
    """What every check has: a name, a place it looks from, and patience."""

    name: str = Field(pattern=CHECK)
    """What results and summaries call it; one check of a stack has it."""
    tries: int = Field(default=3, ge=1, le=100)
    """How often it is tried before it has failed."""
    delay: Duration = 1.0
    """Pause between two tries."""
    timeout: TimeLimit = 5.0
    """Time limit of one try."""


class HealthCheck(CheckBase):
    """Every container of the stack is serving, as its own health check sees it."""

    type: Literal["health"]
    """The kind of check."""


class HttpCheck(CheckBase):
    """An HTTP GET that answers as it should; redirects are answers, not followed."""

    type: Literal["http"]
    """The kind of check."""
    from_: Literal["runner", "host", "container"] = Field(default="runner", alias="from")
    """Who asks. `container`: the address of `service`'s container takes the place of the URL's host."""
    service: ServiceName | None = None
    """Mandatory with `from: container`."""
    url: str = Field(pattern=URL)
    """What is asked for."""
    status: int = Field(default=200, ge=100, le=599)
    """The status that the answer must have."""
    contains: str | None = None
    """Text that the body must contain."""
    json_field: str | None = None
    """Dotted path into a JSON body, such as `checks.db.ok`."""
    equals: str | None = None
    """What that field must be, compared as text (`true`, `3`, `ok`)."""
    header: dict[str, str] = Field(default_factory=dict)
    """Headers that the answer must have, with their values."""


class TcpCheck(CheckBase):
    """Something accepts a TCP connection."""

    type: Literal["tcp"]
    """The kind of check."""
    from_: Literal["runner", "host", "container"] = Field(default="runner", alias="from")
    """Where the connection comes from. `container`: the address of `service`'s container is used."""
    service: ServiceName | None = None
    """Mandatory with `from: container`."""
    address: str = Field(default="127.0.0.1", min_length=1)
    """Host name or IP address to connect to."""
    port: Port
    """Port to connect to."""


class DatabaseCheck(CheckBase):
    """A PostgreSQL or MySQL/MariaDB server answers its protocol's greeting; no credentials needed."""

    type: Literal["postgres", "mysql"]
    """The kind of server."""
    from_: Literal["runner", "host", "container"] = Field(default="container", alias="from")
    """Where the connection comes from. `container`: the address of `service`'s container is used."""
    service: ServiceName | None = None
    """The database's service; mandatory with `from: container`."""
    address: str = Field(default="127.0.0.1", min_length=1)
    """Host name or IP address to connect to."""
    port: Port | None = None
    """5432 or 3306 by default."""


class CommandCheck(CheckBase):
    """A command in a running container exits 0."""

    type: Literal["command"]
    """The kind of check."""
    service: ServiceName
    """The service in whose container the command runs."""
    command: Argv
    """Program and arguments; no shell reads them."""


class ScriptCheck(CheckBase):
    """The team's own script exits 0; it gets the release's facts as DEPLOY_* in its environment."""

    type: Literal["script"]
    """The kind of check."""
    from_: Literal["runner", "host"] = Field(default="runner", alias="from")
    """On the runner it starts in deploy.yml's folder, on the host in the run directory."""
    command: Argv
    """Program and arguments; no shell reads them."""


class RestoreTestCheck(CheckBase):
    """The newest backup can be restored: each dump of it is, into a scratch container, and looked into."""

    type: Literal["restore_test"]
    """The kind of check."""
    max_age: TimeLimit | None = None
    """How old the newest backup may be."""
    tries: int = Field(default=1, ge=1, le=100)
    """How often it is tried before it has failed."""
    timeout: TimeLimit = 900.0
    """Time limit of one try, for all databases together."""


class IsolationCheck(CheckBase):
    """Each user of `provision:` can work in its own database, with its password, and gets into no other."""

    type: Literal["isolation"]
    """The kind of check."""
    timeout: TimeLimit = 30.0
    """Time limit of one try, all users together."""


Check = Annotated[
    HealthCheck
    | HttpCheck
    | TcpCheck
    | DatabaseCheck
    | CommandCheck
    | ScriptCheck
    | RestoreTestCheck
    | IsolationCheck,
    Field(discriminator="type"),
]


def looks_from_host(check: Check) -> bool:
    """Whether the check looks at one host: from there, or from inside a container there."""
    return getattr(check, "from_", "host") != "runner"
