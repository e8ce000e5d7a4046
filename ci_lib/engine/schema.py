"""What the records say about the schema: whether a migration was rehearsed, and which way a rollback goes."""

from dataclasses import dataclass

from ci_lib.config.migration import Migration
from ci_lib.domain.errors import Refusal
from ci_lib.domain.images import Image, Release
from ci_lib.domain.reasons import Reason
from ci_lib.domain.schema import Schema
from ci_lib.engine.tools import Request, Tools
from ci_lib.records import schemas
from ci_lib.records.chain import Chain

KEEP, DOWN = "keep", "down"
"""What ``--schema`` can say."""


def rehearsed(request: Request, tools: Tools, chain: Chain, release: Release) -> tuple[str, ...]:
    """The heads that this release's image was migrated to where this environment requires it.

    Empty where no rehearsal is demanded. Raises ``Refusal`` (NOT_REHEARSED) when there was none: that the
    image was verified there says nothing of the schema, if no migration was configured then.
    """
    migration, requires = tools.settings.settings.migration, tools.settings.place.requires
    if migration is None or requires is None or request.force:
        return ()
    image = migrating_image(tools, migration, release)
    found = schemas.migrated(chain, requires.environment, image.digest) if image else None
    if found is None:
        label = image.label if image else release.version
        raise Refusal(
            f"the migration of {label} was never rehearsed in {requires.environment}",
            hint=f"deploy it to {requires.environment} with its `migration:`, then promote",
            reason=Reason.NOT_REHEARSED,
        )
    return found.heads


def migrating_image(tools: Tools, migration: Migration, release: Release) -> Image | None:
    """The release's image whose service migrates."""
    for name, settings in tools.settings.images.items():
        if migration.service in settings.services:
            return release.image(name)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What a rollback does about the schema: revisions to go back to, None to leave it; ``note`` explains."""

    to: tuple[str, ...] | None = None
    note: str = ""


def way_back(
    request: Request, tools: Tools, chain: Chain | None, release: Release, current: Release | None
) -> WayBack:
    """Decide by the records and the policy; raises ``Refusal`` (POLICY) where a person has to choose.

    Without a ledger nothing is refused: whoever goes back without one has no time to lose.
    """
    migration = tools.settings.settings.migration
    if migration is None or request.backup:  # the data of a backup bring their own schema along
        return WayBack()
    image = migrating_image(tools, migration, release)
    known = chain is not None and image is not None
    now = schemas.newest(chain, tools.settings.environment) if known and chain else None
    then = schemas.of_image(chain, tools.settings.environment, image.digest) if chain and image else None
    if now is not None and then is not None and set(now.current) == set(then.current):
        return WayBack()
    if request.schema == DOWN:
        serving = migrating_image(tools, migration, current) if current else None
        return WayBack(to=_way_down(now, then, image, serving))
    there = now.label if now else "where it is, which is not recorded"
    once = then.label if then else "one that is not recorded"
    stays = f"the schema stays at {there}; {release.version} ran on {once}"
    if request.schema == KEEP or chain is None:
        return WayBack(note=stays)
    if migration.compatible:
        return WayBack(note=f"{stays}, and is declared compatible")
    if migration.policy == "forward-only":
        mend = "if it does not work there, mend it forward, or `rollback --backup NAME` with an approval"
        return WayBack(note=f"{stays}: forward-only, so it is not stepped back; {mend}")
    raise Refusal(
        f"{stays}, unless somebody decides",
        hint="choose: --schema down --approver NAME --reason TEXT takes it back, --schema keep leaves it",
        reason=Reason.POLICY,
    )


def _way_down(
    now: Schema | None, then: Schema | None, image: Image | None, serving: Image | None
) -> tuple[str, ...]:
    """The revisions to go down to; raises ``Refusal`` (POLICY) where there is no such way."""
    if now is None or then is None:
        what = "where the schema stands, or stood for that release, is not recorded"
        hint = "leave it with --schema keep, and take it back by hand if it must be"
        raise Refusal(f"{what}: it cannot be taken back", hint=hint, reason=Reason.POLICY)
    if serving is None or image is None or serving.digest == image.digest:
        raise Refusal(
            f"the image that serves does not know the way down from {now.label}",
            hint="only the release that brought the schema there does: go back to that one first",
            reason=Reason.POLICY,
        )
    return then.current
