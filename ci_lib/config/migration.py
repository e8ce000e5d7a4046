"""The shape of a stack's ``migration:``: how the database's schema follows the release."""

from typing import Literal

from pydantic import Field

from ci_lib.config.base import Argv, Model, ServiceName
from ci_lib.config.units import Duration, TimeLimit


class Migration(Model):
    """Runs as a one-off instance of a managed service, from its new image, before the switch.

    The release before keeps serving meanwhile, so each migration must leave a schema that it can work with.
    """

    tool: Literal["alembic", "prisma", "command"]
    """Who migrates: Alembic, Prisma Migrate, or the team's own program."""
    service: ServiceName
    """The managed service whose image holds the migrations; its network and environment are used."""
    policy: Literal["forward-only", "reversible"]
    """Whether a rollback may ever take the schema back."""
    compatible: bool = False
    """Each release works on the schema of the next one, so that a rollback may leave the schema alone."""
    program: Argv | None = None
    """What to call instead of `alembic` or `npx prisma`, such as `[uv, run, alembic]`."""
    folder: str = Field(default="prisma/migrations", min_length=1)
    """Prisma's migrations inside the image."""
    status: Argv | None = None
    """For `tool: command`: prints where the schema stands, as JSON."""
    apply: Argv | None = None
    """For `tool: command`: applies everything that is pending."""
    down: Argv | None = None
    """For `tool: command`: goes back to the revisions in the variable DEPLOY_SCHEMA_TO."""
    time_limit: TimeLimit = 600.0
    """How long applying may take."""
    lock_timeout: Duration = 10.0
    """How long a statement may wait for a lock of the database; `0s`: neither it nor PGOPTIONS is set."""
    transactional: bool | None = None
    """Whether the database takes a failed migration back in one piece; unset: as Alembic's log says."""
