"""What has to be known before a stack is taken down."""

from dataclasses import replace

from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.engine.survey import Serving, survey_serving, surveyed
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.ground import Ground
from ci_lib.records import ledger
from ci_lib.records.chain import Chain


def survey_down(request: Request, tools: Tools, chain: Chain) -> Ground | None:
    """What taking down stands on; None where nothing is there, and the ledger says so too.

    Of several hosts, those that have anything. Raises ``DeployError`` (CHANGED) for all that is not the
    version that was named, deployed by us.
    """
    now, recorded = surveyed(tools), ledger.last_served(chain, tools.settings.environment)
    if now.release is None and not now.running and recorded is None:
        return None
    if not any(item.workload in tools.settings.managed for item in now.running):
        believed = recorded or now.release
        raise _missing(tools, now, believed.version if believed else "")
    if any(one.adopted is not None for one in (now.hosts or {"": now}).values()):
        raise DeployError(
            f"what runs in {tools.settings.environment} was not deployed by deploy-actions",
            hint="it could not be brought back if it failed: deploy once, or remove it by hand",
            reason=Reason.CHANGED,
        )
    there = {name: one for name, one in now.hosts.items() if one.release or one.running}
    return survey_serving(request, tools, chain, replace(now, hosts=there))


def _missing(tools: Tools, now: Serving, version: str) -> DeployError:
    """Why nothing is taken down where no managed service is there."""
    where = f"{tools.settings.stack} in {tools.settings.environment}"
    if not version:
        names = ", ".join(sorted({item.workload or item.instance[:12] for item in now.running}))
        return DeployError(
            f"nothing that was deployed is there of {where}, and {names} is",
            hint="remove it by hand",
            reason=Reason.CHANGED,
        )
    return DeployError(
        f"nothing is there of {where}, and {version} should be",
        hint="does deploy.yml name the right hosts, run directory and project? If it was removed by hand, "
        "roll back or deploy once, then take it down",
        reason=Reason.CHANGED,
    )
