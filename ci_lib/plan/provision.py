"""What ``database provision`` does: a step for each database server of the stack."""

from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.plan import Plan, Step, StepKind


def provision(settings: Resolved) -> Plan:
    """The steps; raise ``ConfigFault`` where the stack has no database server to provision."""
    servers = settings.settings.provision
    if not servers:
        raise ConfigFault(
            f"stack {settings.stack} has no `provision:` in {settings.environment}",
            hint="list its database servers there; docs/how-to/shared-database.md shows how",
        )
    return tuple(
        Step(
            kind=StepKind.PROVISION,
            host=settings.host,
            args={"name": server.service, "databases": list(server.databases)},
            time_limit=settings.settings.limits.provision,
        )
        for server in servers
    )
