"""The team's own script exits 0; the release's facts are in its environment."""

from typing import assert_never

from ci_lib.checks.command import exit_code
from ci_lib.checks.site import Facts, Probe, Site
from ci_lib.config.checks import ScriptCheck
from ci_lib.ports.protocols import Ran


def probe(check: ScriptCheck, site: Site, facts: Facts) -> Probe:
    """Make ready to run the script on the runner or on the host."""
    return Probe(bound="exit 0", look=lambda: exit_code(_run(check, site, facts)))


def _run(check: ScriptCheck, site: Site, facts: Facts) -> Ran:
    match check.from_:
        case "runner":
            return site.runner.run(check.command, timeout=check.timeout, cwd=site.folder, env=facts)
        case "host":
            return site.host.run(check.command, timeout=check.timeout, cwd=site.run_dir, env=facts)
        case _:
            assert_never(check.from_)
