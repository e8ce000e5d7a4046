"""Making the plan that somebody approves, and demanding that it is still the same when it is carried out."""

from ci_lib.domain.differences import Differences
from ci_lib.domain.errors import Refusal
from ci_lib.domain.plan_hash import differing, plan_hash
from ci_lib.domain.proposal import Proposal, SchemaOutlook
from ci_lib.domain.reasons import Reason
from ci_lib.engine.begin import supported
from ci_lib.engine.schema import migrating_image
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.deploy import deploy
from ci_lib.plan.ground import Ground
from ci_lib.plan.proposal import parts, proposal
from ci_lib.records import schemas
from ci_lib.records.chain import Chain

_MEANING = {
    "images": "the images, or why they may run",
    "files": "the stack's files",
    "settings": "the settings of services, as the host resolves them",
    "serving": "what serves now",
    "schema": "what the records know of the schema",
    "configuration": "deploy.yml",
    "steps": "the steps",
}


def proposed(tools: Tools, chain: Chain, ground: Ground) -> Proposal:
    """The plan of a deploy, for a person; asks the target once more how things differ."""
    differences = tools.target.compare(ground.candidate) if ground.previous else Differences()
    steps = supported(tools, deploy(ground))
    return proposal(ground, steps, schema=_outlook(tools, chain, ground), differences=differences)


def demand_approved(request: Request, tools: Tools, chain: Chain, ground: Ground) -> None:
    """Raise ``Refusal`` (POLICY) when the plan is not the one whose hash the request names."""
    if not request.plan_hash:
        return
    steps = supported(tools, deploy(ground))
    found = plan_hash(parts(ground, steps, _outlook(tools, chain, ground)))
    if found == request.plan_hash:
        return
    names = differing(request.plan_hash, found)
    what = "; ".join(_MEANING[name] for name in names) or "its hash does"
    raise Refusal(
        f"the plan is not the approved one any more; what differs: {what}",
        hint="nothing was changed; run `plan` again with the same options, and have that approved",
        reason=Reason.POLICY,
    )


def _outlook(tools: Tools, chain: Chain, ground: Ground) -> SchemaOutlook | None:
    """What the records know; None where this run does not migrate.

    The database itself is not asked: that takes the new image on the host, and a plan changes nothing there.
    """
    migration = tools.settings.settings.migration
    if migration is None or not ground.migrates:
        return None
    now = schemas.newest(chain, tools.settings.environment)
    return SchemaOutlook(
        tool=migration.tool,
        now=now.current if now else None,
        then=ground.rehearsed or _heads(tools, chain, ground),
    )


def _heads(tools: Tools, chain: Chain, ground: Ground) -> tuple[str, ...] | None:
    """Where the image led when it migrated this environment before."""
    migration = tools.settings.settings.migration
    image = migrating_image(tools, migration, ground.release) if migration else None
    found = schemas.migrated(chain, tools.settings.environment, image.digest) if image else None
    return found.heads if found else None
