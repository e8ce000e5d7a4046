"""A command in a running container exits 0."""

from ci_lib.checks.site import Probe, Seen, Site
from ci_lib.config.checks import CommandCheck
from ci_lib.ports.protocols import Ran


def probe(check: CommandCheck, site: Site) -> Probe:
    """Make ready to run the command in a container of the check's service."""
    return Probe(
        bound="exit 0",
        look=lambda: exit_code(site.containers.exec(check.service, check.command, timeout=check.timeout)),
    )


def exit_code(ran: Ran) -> Seen:
    """Pass what exited 0; what it said last explains everything else."""
    spoke = not ran.ok and (ran.stdout + ran.stderr).strip()
    return Seen(passed=ran.ok, value=f"exit {ran.code}" + (f": {ran.said}" if spoke else ""))
