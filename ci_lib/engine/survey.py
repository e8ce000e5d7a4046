"""Finding out: what runs, what it would become, and whether the rule lets it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ci_lib.domain.errors import ConfigFault, DeployError, UsageFault
from ci_lib.domain.images import Image, Release
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Running
from ci_lib.domain.target import Candidate, Kept, Target, Wanted
from ci_lib.engine.admit import admit, demand_saved
from ci_lib.engine.choose import complete, rollback_target
from ci_lib.engine.schema import rehearsed, way_back
from ci_lib.engine.tools import Request, Tools
from ci_lib.images.rule import Basis, VerifiedImage, exempt
from ci_lib.plan.ground import Ground, HostGround, instances
from ci_lib.records import ledger, proofs
from ci_lib.records.chain import Chain, check


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What serves now: the release, as far as it is known, and every running instance.

    ``good``: the release once passed everything here, or came before we did.
    """

    release: Release | None
    running: tuple[Running, ...]
    adopted: Release | None = None
    good: bool = False
    hosts: Mapping[str, "Serving"] = field(default_factory=dict)
    """The same of each host, where there are several; ``release`` is that of the first that serves any."""

    @property
    def mixed(self) -> bool:
        """Whether hosts serve different releases."""
        return len({item.release.id for item in self.hosts.values() if item.release}) > 1

    @property
    def alike(self) -> bool:
        """Whether every host serves the same."""
        return len({item.release.id if item.release else "" for item in self.hosts.values()}) < 2


def surveyed(tools: Tools, *, without: Collection[str] = ()) -> Serving:
    """What serves now, host by host where there are several; ``without`` are hosts that are not asked."""
    fleet = tools.fleet
    if fleet is None:
        return serving(tools.target)
    asked = [host for host in fleet.hosts if host not in without]
    hosts = fleet.each(asked, lambda host: serving(fleet.at(host)))
    first = next((item for item in hosts.values() if item.release), Serving(release=None, running=()))
    return Serving(
        release=first.release,
        running=tuple(item for found in hosts.values() for item in found.running),
        adopted=first.adopted,
        good=all(item.good for item in hosts.values()),
        hosts=hosts,
    )


def serving(target: Target) -> Serving:
    """Ask the target; what runs without our labels is adopted."""
    running = target.observe()
    current = next((kept for kept in target.kept() if kept.current), None)
    if current is not None:
        return Serving(release=current.release, running=running, good=current.good)
    adopted = target.adopted()
    # Not kept yet, so there is nothing that could be marked.
    return Serving(release=adopted, running=running, adopted=adopted, good=adopted is not None)


def read_chain(tools: Tools) -> Chain:
    """The stack's ledger, checked, and what there is to say against its verifications."""
    stack = tools.settings.stack
    flaw = partial(tools.trust().flaw, stack)
    return replace(check(tools.store.read(stack)), flaw=flaw)


def survey_deploy(request: Request, tools: Tools, chain: Chain, named: Mapping[str, Image]) -> Ground:
    """What a deploy or a promote stands on."""
    now = surveyed(tools)
    images = complete(named, tools.settings, now.release)
    only = tuple(named) if len(named) < len(tools.settings.images) else ()
    _demand_one(now, only)
    candidate = tools.target.resolve(Wanted(images=images, only=only))
    verified = admit(request, tools, chain, candidate.release, named)
    ground = _ground(tools, now, candidate, verified, chain)
    ground = replace(ground, only=only, skip_checks=request.skip_checks)
    demand_saved(ground, chain)
    heads = rehearsed(request, tools, chain, candidate.release) if ground.migrates else ()
    return replace(ground, rehearsed=heads)


def survey_rollback(request: Request, tools: Tools, chain: Chain | None) -> Ground:
    """What a rollback stands on; without a ledger (``chain`` is None) the target's own memory serves."""
    now = surveyed(tools)
    if request.only and now.release is None:
        raise UsageFault("--only, and nothing serves that it could change", hint="go back to a whole release")
    _demand_one(now, request.only)
    environment = tools.settings.environment
    kept = {item.release.id: item for item in tools.target.kept()}
    candidates = _remembered(tools, kept.values()) if chain is None else ledger.deployed(chain, environment)
    # Where hosts differ, none of their releases is the one to get away from.
    current = None if now.mixed else now.release
    release = rollback_target(request, tools.settings, candidates, current)
    files = now.release.id if request.only and now.release else release.id
    if files not in kept:
        where = "every host" if tools.settings.several else tools.settings.host
        raise DeployError(
            f"the files of {release.version} ({files[:12]}) are not kept on {where} any more",
            hint="rollback --list shows what is; older releases are deployed again from their commit",
            reason=Reason.PREFLIGHT,
        )
    only = request.only
    _demand_kept(release, now.release, kept.values())
    candidate = tools.target.resolve(Wanted(images=release.images, snapshot=files, only=only))
    ground = _ground(tools, now, candidate, exempt(candidate.release.images, Basis.ROLLBACK), chain)
    back = way_back(request, tools, chain, release, now.release)
    if back.to is not None and tools.settings.several:
        hint = "use --schema keep, and take it back by hand if it must be"
        raise ConfigFault("--schema down works in an environment of one host", hint=hint)
    return replace(
        ground,
        snapshot=files,
        only=only,
        skip_checks=request.skip_checks,
        schema_to=back.to,
        notes=(*ground.notes, back.note) if back.note else ground.notes,
    )


def _demand_kept(release: Release, current: Release | None, kept: Iterable[Kept]) -> None:
    """Raise ``DeployError`` for an image that this target does not remember.

    Outcomes are not signed: a line of the ledger alone must not name what is brought in without the rule.
    """
    releases = [item.release for item in kept] + ([current] if current else [])
    known = {(image.name, image.pinned) for one in releases for image in one.images}
    for image in release.images:
        if (image.name, image.pinned) not in known:
            raise DeployError(
                f"{image.name} {image.label} is in no release that is kept here",
                hint="rollback --list shows what is; an older image is deployed again, by way of the rule",
                reason=Reason.PREFLIGHT,
            )


def _remembered(tools: Tools, kept: Iterable[Kept]) -> Iterator[ledger.Deployed]:
    """What can be gone back to by the target's own memory: what never passed everything counts as bad."""
    for item in kept:
        yield ledger.Deployed(
            release=item.release,
            at=tools.clock.now(),
            record_id="",
            bad=not item.good,
            left=item.left,
        )


def survey_serving(
    request: Request, tools: Tools, chain: Chain | None, now: Serving | None = None
) -> Ground:
    """What a verb stands on that changes no release; ``now`` is what serves, where that is known.

    With ``chain``, raises ``DeployError`` (CHANGED) when the ledger or ``--version`` names another release.
    """
    now = now or surveyed(tools)
    if now.release is None:
        raise DeployError(
            f"nothing serves {tools.settings.stack} in {tools.settings.environment}",
            hint="deploy it first",
            reason=Reason.CHANGED,
        )
    if not now.alike:
        raise DeployError(
            f"the hosts serve different releases: {_by_host(now)}",
            hint="deploy or roll back to bring them together",
            reason=Reason.CHANGED,
        )
    if chain is not None:
        _demand_same(request, now.release, ledger.last_served(chain, tools.settings.environment))
    candidate = replace(
        _as_it_runs(tools, now.release, now.running),
        hosts={
            name: _as_it_runs(tools, now.release, host.running) for name, host in now.hosts.items()
        },
    )
    ground = _ground(tools, now, candidate, exempt(now.release.images, Basis.ROLLBACK), chain)
    return replace(
        ground, adopted=None, hosts=tuple(replace(host, adopted=None) for host in ground.hosts)
    )


def _as_it_runs(tools: Tools, release: Release, running: tuple[Running, ...]) -> Candidate:
    counts = instances(running)
    workloads = {name: counts.get(name, 1) for name in sorted(tools.settings.managed)}
    return Candidate(release=release, workloads=workloads)


def _by_host(now: Serving) -> str:
    releases = ((name, item.release) for name, item in now.hosts.items())
    return ", ".join(f"{name} {release.version if release else 'nothing'}" for name, release in releases)


def _demand_one(now: Serving, only: tuple[str, ...]) -> None:
    """Raise ``UsageFault`` for a part of a release where it is not clear what the rest of it is."""
    if only and not now.alike:
        raise UsageFault(
            f"only {', '.join(only)} is named, and the hosts serve different releases: {_by_host(now)}",
            hint="name every image: deploy a whole release first",
        )


def _ground(
    tools: Tools,
    now: Serving,
    candidate: Candidate,
    verified: tuple[VerifiedImage, ...],
    chain: Chain | None,
) -> Ground:
    taken = proofs.revocations(chain, tools.settings.environment) if chain is not None else {}
    revoked = tuple(image.name for image in candidate.release.images if image.digest in taken)
    return Ground(
        settings=tools.settings,
        candidate=candidate,
        verified=verified,
        running=now.running,
        previous=now.release,
        adopted=now.adopted,
        good=now.good,
        revoked=revoked,
        notes=tuple(f"{name} was revoked here, so nothing is verified" for name in revoked),
        hosts=tuple(
            HostGround(
                name=name,
                candidate=candidate.hosts[name],
                running=host.running,
                previous=host.release,
                adopted=host.adopted,
                good=host.good,
            )
            for name, host in now.hosts.items()
        ),
    )


def _demand_same(request: Request, current: Release, recorded: Release | None) -> None:
    if recorded is not None and recorded.id != current.id:
        raise DeployError(
            f"{current.version} serves, but the ledger says {recorded.version}: the release changed since",
            hint="see `status` and `history`; deploy again",
            reason=Reason.CHANGED,
        )
    if request.version and request.version != current.version:
        raise DeployError(
            f"{current.version} serves, not {request.version}",
            hint=f"name {current.version} if that is what you mean; see `history`",
            reason=Reason.CHANGED,
        )
