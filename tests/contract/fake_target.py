"""A target as Argo CD will be one: asynchronous, without a host, with revisions of its own.

`World` holds everything that outlives a run of ours (clusters, locks, ledger, registry), so that a test can
kill one run and start the next. Nothing in the engine may know that this target exists.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.domain.approval import Approval, Demand
from ci_lib.domain.backups import Saved, SavedDatabase
from ci_lib.domain.differences import Differences
from ci_lib.domain.errors import Refusal, StepFault
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.forge import RunState
from ci_lib.domain.images import Image, Reference, Release
from ci_lib.domain.outcome import CheckResult, Logs, Mark, Outcome, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.domain.running import Health, Running
from ci_lib.domain.state import Lease, lost_lock
from ci_lib.domain.target import Candidate, Kept, OneOff, Wanted
from ci_lib.engine import flow, looking
from ci_lib.engine.tools import Request, Seal, Tools, Variables
from ci_lib.engine.unlock import unlock
from ci_lib.ports.protocols import Ran, TimedOut
from ci_lib.records.trust import Trust
from tests.fakes import FakeClock, FakeReporter, MemoryState, MemoryStore, quiet

API, WEB = "ghcr.io/acme/api", "ghcr.io/acme/web"
DEPLOY_YML = """\
version: 1
records: {store: directory, path: records}
hosts:
  here: {local: true}
environments:
  staging: {tier: staging, owner: team-shop, hosts: [here]}
  production: {tier: production, owner: operations, hosts: [here], requires: {environment: staging}}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend, worker]}
      web: {repository: ghcr.io/acme/web, services: [nginx]}
    checks:
      - {name: ready, type: http, url: "http://127.0.0.1:8000/ready"}
    environments:
      production: {history_name: shop-prod, history_env: prod}
"""
EXTRA = "    environments:\n"
DATABASES = """\
    provision:
      - {type: postgres, service: db, databases: {shop: {user: shop, password_env: SHOP}}}
      - {type: mysql, service: maria, password_env: ROOT, databases: {crm: {user: crm, password_env: CRM}}}
"""
"""More lines for the stack: two database servers."""


@lru_cache
def settings(environment: str = "staging", extra: str = "") -> Resolved:
    """The example's settings; `extra` are more lines of YAML for the stack."""
    text = DEPLOY_YML.replace(EXTRA, extra + EXTRA)
    return resolve(load(text, name="deploy.yml"), "shop", environment, "/checkout")


def digest(text: str) -> str:
    """A digest that stands for this text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def image(name: str, tag: str) -> Image:
    """An image of the example."""
    return Image(
        name=name, repository={"api": API, "web": WEB}[name], tag=tag, digest=digest(f"{name}:{tag}")
    )


class Killed(BaseException):
    """kill -9: nothing catches it, nothing is cleaned up."""


@dataclass
class Cluster:
    """What runs somewhere else: it is told what it should be, and becomes so after `lag` looks."""

    lag: int = 2
    revision: int = 0
    desired: Release | None = None
    live: Release | None = None
    live_revision: int = 0
    waiting: int = 0
    current: str = ""
    kept: dict[str, Release] = field(default_factory=dict)
    good: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    crashed: set[str] = field(default_factory=set)
    restarts: int = 0
    data: str = "early"
    backups: dict[str, tuple[str, Saved]] = field(default_factory=dict)

    def want(self, release: Release | None) -> None:
        self.revision += 1
        self.desired, self.waiting = release, self.lag

    def look(self) -> None:
        if self.waiting:
            self.waiting -= 1
            if not self.waiting:
                self.live, self.live_revision = self.desired, self.revision


class FakeTarget:
    """`Target` over a cluster."""

    supports = frozenset(StepKind) - {
        *(StepKind.PREFLIGHT, StepKind.PROVE, StepKind.CHECK, StepKind.HOOK),
    }

    def __init__(
        self, world: "World", environment: str, resolved: Resolved, fence: Callable[[], None]
    ) -> None:
        self._world = world
        self._fence = fence
        self._environment = environment
        self._settings = resolved
        self._cluster = world.cluster(environment)

    def observe(self) -> tuple[Running, ...]:
        cluster = self._cluster
        cluster.look()
        if cluster.live is None:
            return ()
        broken = cluster.live.images and any(
            i.digest in self._world.unhealthy for i in cluster.live.images
        )
        return tuple(
            Running(
                workload=service,
                instance=f"{service}-{cluster.live_revision}",
                host="",
                image_ids=(found.pinned,),
                health=Health.EXITED
                if service in cluster.crashed
                else Health.UNHEALTHY
                if broken
                else Health.HEALTHY,
                started_at=f"revision {cluster.live_revision}",
                restarts=cluster.restarts,
                release_id="" if cluster.live.adopted else cluster.live.id,
                exit_code=0 if service in cluster.crashed else None,
            )
            for found in cluster.live.images
            if found.name in self._settings.images
            for service in self._settings.images[found.name].services
        )

    def adopted(self) -> Release | None:
        live = self._cluster.live
        return live if live is not None and live.adopted else None

    def kept(self) -> tuple[Kept, ...]:
        cluster = self._cluster
        return tuple(
            Kept(
                release=release,
                good=key in cluster.good,
                current=key == cluster.current,
                left=key in cluster.left,
            )
            for key, release in reversed(cluster.kept.items())
        )

    def resolve(self, wanted: Wanted) -> Candidate:
        files = self._world.files
        if wanted.snapshot:
            if wanted.snapshot not in self._cluster.kept:
                raise StepFault("that release is not kept here", reason=Reason.PREFLIGHT)
            files = self._cluster.kept[wanted.snapshot].files
        services = f"services of {self._environment}"
        release = Release(images=wanted.images, files=files, services=services)
        workloads = dict.fromkeys(sorted(self._settings.managed), 1)
        return Candidate(release=release, workloads=workloads, needs=self._world.needs)

    def compare(self, candidate: Candidate) -> Differences:
        return Differences(unknown=("this target does not tell",))

    def drift(self, release: Release) -> tuple[CheckResult, ...]:
        return self._world.drifted

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        return self._world.preflight

    def removable(self) -> tuple[CheckResult, ...]:
        return self._world.removable

    def apply(self, step: Step) -> StepReport:
        world = self._world
        world.applied.append(step.name)
        world.tick(f"before {step.name}")
        if step.name in world.once:
            raise world.once.pop(step.name)
        if step.name in world.faults:
            raise world.faults[step.name]
        self._fence()
        getattr(self, f"_{step.kind}")(step)
        world.tick(f"after {step.name}")
        return StepReport()

    def once(self, job: OneOff) -> Ran:
        """The team's migration program: `status`, `apply`, `down` on `World.schemas`."""
        world, word = self._world, job.command[0]
        image = next(i for i in job.release.images if i.name == "api")
        world.called.append(f"{word} {image.label}{' staged' if job.staged else ''}")
        world.tick(f"before {word}")
        self._fence()
        if word in world.once:
            raise world.once.pop(word)
        if word in world.faults:
            world.blinded = world.gone
            raise world.faults[word]
        if world.blinded:
            raise TimedOut("the host is gone")
        at = world.schemas.get(self._environment, "s0")
        head = world.heads.get(image.label, "s0")
        if word == "status":
            told = {"current": [at], "heads": [head], "transactional": world.whole}
            return Ran(code=0, stdout=json.dumps(told))
        ran = world.migrating.get(word, Ran(code=0))
        if (ran.ok and not world.idle) or world.torn:
            half = f"{head}-half" if not ran.ok else head
            world.schemas[self._environment] = job.env.get("DEPLOY_SCHEMA_TO", half)
        world.tick(f"after {word}")
        return ran

    def advice(self) -> tuple[str, ...]:
        return ()

    def diagnose(self) -> Packet:
        if self._world.blind is not None:
            raise self._world.blind
        return Packet(services=(Logs(service="backend", lines="fatal"),))

    def _prepare(self, step: Step) -> None:
        pass

    _pull = _provision = _prepare

    def _backup(self, step: Step) -> None:
        name = step.args["backup"]
        assert name not in self._cluster.backups
        database = SavedDatabase(
            type="postgres", service="db", database="shop", file="db-shop.dump", sha256="", size=1
        )
        saved = Saved(
            name=name, made_at=self._world.clock.now(), release=step.release, databases=(database,)
        )
        self._cluster.backups[name] = (self._cluster.data, saved)

    def _restore_backup(self, step: Step) -> None:
        assert self._cluster.desired is None, "nothing may run on data that are being exchanged"
        self._cluster.data = "half"
        self._world.tick("in restore_backup")
        self._cluster.data = self._cluster.backups[step.args["backup"]][0]

    def _switch(self, step: Step) -> None:
        assert step.release is not None
        cluster = self._cluster
        if step.args.get("adopted"):
            before = Release.from_json(step.args["adopted"])
            cluster.kept[before.id] = before
            cluster.good.add(before.id)
        if step.args["leaving"]:
            cluster.left.add(cluster.current)
        self._world.tick("in switch")
        self._serve(step.release)

    def _restore(self, step: Step) -> None:
        assert step.release is not None
        self._world.tick("in restore")
        self._serve(step.release, up=step.args.get("up", True))

    def _serve(self, release: Release, *, up: bool = True) -> None:
        cluster = self._cluster
        cluster.left.discard(release.id)
        cluster.kept.pop(release.id, None)
        cluster.kept[release.id] = release
        cluster.current = release.id
        self._world.tick("half served")
        if up:
            cluster.want(release)

    def _take_down(self, step: Step) -> None:
        self._cluster.current = ""
        self._world.tick("in take_down")
        self._cluster.want(None)

    def _stop(self, step: Step) -> None:
        self._cluster.want(None)

    def _start(self, step: Step) -> None:
        assert step.release is not None
        self._cluster.want(step.release)

    def _await_serving(self, step: Step) -> None:
        deadline = self._world.clock.monotonic() + step.time_limit
        while True:
            running = self.observe()
            settled = not self._cluster.waiting
            if settled and all(item.serving for item in running):
                return
            if self._world.clock.monotonic() >= deadline:
                raise StepFault(f"not serving after {step.time_limit:.0f} s")
            self._world.clock.sleep(30)

    def _retain(self, step: Step) -> None:
        assert step.release is not None
        if step.args["good"]:
            self._cluster.good.add(step.release.id)


class OneRun:
    """`State` as one run sees it, with the fence of the lock that it took last."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self._lease: Lease | None = None
        self.peek, self.journal, self.settle = state.peek, state.journal, state.settle
        self.begin, self.note, self.release = state.begin, state.note, state.release

    def acquire(self, owner: str, *, seconds: float, instead_of: str = "") -> Lease | None:
        lease = self._state.acquire(owner, seconds=seconds, instead_of=instead_of)
        self._lease = lease or self._lease
        return lease

    def fence(self) -> None:
        """What stands before each change on a real host."""
        if self._lease is not None and not self._state.mine(self._lease):
            raise lost_lock()


@dataclass
class FakeBackups:
    """`Backups` of one cluster; `broken` ones fail their test and their preflight."""

    cluster: Cluster
    broken: set[str]

    def fresh(self, now: datetime) -> str:
        name, number = f"{now:%Y%m%dT%H%M%SZ}", 2
        while name in self.cluster.backups:
            name, number = f"{now:%Y%m%dT%H%M%SZ}-{number}", number + 1
        return name

    def listed(self) -> tuple[Saved, ...]:
        return tuple(saved for _, saved in reversed(self.cluster.backups.values()))

    def preflight(self, name: str) -> tuple[CheckResult, ...]:
        wrong = name in self.broken
        mark = Mark.FAILED if wrong else Mark.PASSED
        return (CheckResult(name="hashes", mark=mark, value="damaged" if wrong else "1 file", bound="whole"),)

    def tested(self, saved: Saved, *, limit: float) -> tuple[CheckResult, ...]:
        return self.preflight(saved.name)


@dataclass
class World:
    """Everything outside of a run, with places to break it.

    `faults` maps a step's name to what it raises, `once` to what it raises the first time; `unhealthy` holds
    digests that never become healthy; `failing` versions whose checks fail; `broken` names of backups;
    `stop_at` counts the ticks until `stop_with` is raised, `pause_at` those until the run is paused and all
    of `meanwhile` happens. `schemas` is where each environment's database
    stands, `heads` where a version leads, `migrating` what its commands say and `called` which ran; `torn`:
    half of one stays, `idle`: none is applied, `gone`: nothing answers once one has failed. `seals` sign what
    is verified in an environment, and `trust` says whose signatures count, unless that is
    `unread`. `demand` is what production wants proved, `agreed` what stands outside of the ledger.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    extra: str = ""
    files: str = "files 1"
    clusters: dict[str, Cluster] = field(default_factory=dict)
    states: dict[str, MemoryState] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: dict[str, BaseException] = field(default_factory=dict)
    once: dict[str, BaseException] = field(default_factory=dict)
    unhealthy: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    restarting: bool = False
    preflight: tuple[CheckResult, ...] = ()
    drifted: tuple[CheckResult, ...] = ()
    removable: tuple[CheckResult, ...] = ()
    listed: tuple[CheckResult, ...] = ()
    listed_for: list[Variables] = field(default_factory=list)
    needs: tuple[str, ...] = ()
    schemas: dict[str, str] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    migrating: dict[str, Ran] = field(default_factory=dict)
    torn: bool = False
    whole: bool = True
    idle: bool = False
    gone: bool = False
    blinded: bool = False
    called: list[str] = field(default_factory=list)
    pause_at: int | None = None
    meanwhile: Callable[[str], None] = quiet
    blind: Exception | None = None
    hooks: dict[str, Ran | Exception] = field(default_factory=dict)
    hooked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    ticks: list[str] = field(default_factory=list)
    stop_at: int | None = None
    stop_with: type[BaseException] = Killed
    reporter: FakeReporter = field(default_factory=FakeReporter)
    trust: Trust = field(default_factory=Trust)
    seals: dict[str, Seal] = field(default_factory=dict)
    unread: Exception | None = None
    demand: Demand = field(default_factory=Demand)
    agreed: list[Approval] = field(default_factory=list)
    actor: str = "alice"
    sign_off: bool = False
    store: MemoryStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryStore(tick=self.tick)

    def tick(self, name: str) -> None:
        self.ticks.append(name)
        if self.pause_at is not None and len(self.ticks) > self.pause_at:
            self.pause_at = None
            self.meanwhile(name)
        if self.stop_at is not None and len(self.ticks) > self.stop_at:
            self.stop_at = None
            raise self.stop_with(name)

    def cluster(self, environment: str) -> Cluster:
        return self.clusters.setdefault(environment, Cluster())

    def state(self, environment: str = "staging") -> MemoryState:
        return self.states.setdefault(environment, MemoryState(clock=self.clock, tick=self.tick))

    def tools(self, environment: str, owner: str = "run-1", provider: str = "local") -> Tools:
        resolved = settings(environment, self.extra)
        if self.sign_off and resolved.place.requires:
            requires = resolved.place.requires.model_copy(update={"sign_off": True})
            resolved = replace(resolved, place=resolved.place.model_copy(update={"requires": requires}))
        state = OneRun(self.state(environment))
        return Tools(
            settings=resolved,
            ci=CiFacts(
                provider=provider, owner=owner, actor=self.actor, run_url=f"https://ci.example/{owner}"
            ),
            target=FakeTarget(self, environment, resolved, state.fence),
            state=state,
            store=self.store,
            clock=self.clock,
            reporter=self.reporter,
            digest=self._digest,
            check=lambda groups, facts: self._check(environment, groups, facts),
            listed=self._listed,
            hook=self._hook,
            run_state=self.run_state,
            redact=lambda text: text.replace("hunter2", "***"),
            backups=FakeBackups(self.cluster(environment), self.broken),
            trust=self._trust,
            seal=lambda: self.seals.get(environment),
            demand=self.demand if environment == "production" else Demand(),
            agreed=lambda: self.agreed,
        )

    def run_state(self, owner: str) -> RunState:
        """As a forge would know it."""
        if owner in self.dead:
            return RunState.ENDED
        return RunState.ALIVE if owner in self.alive else RunState.UNKNOWN

    def play(
        self, verb: Verb, environment: str = "staging", *, owner: str = "run-1", **request: Any
    ) -> Outcome:
        """Run a verb as one process would."""
        tools = self.tools(environment, owner, request.pop("provider", "local"))
        return _PLAYS[verb](Request(verb=verb, **request), tools)

    def deploy(self, version: str, environment: str = "staging", **request: Any) -> Outcome:
        return self.play(Verb.DEPLOY, environment, version=version, **request)

    def promote(self, version: str, **request: Any) -> Outcome:
        return self.play(Verb.PROMOTE, "production", version=version, **request)

    def serves(self, environment: str = "staging") -> str:
        """The version that serves, once everything has settled; empty for none."""
        cluster = self.cluster(environment)
        while cluster.waiting:
            cluster.look()
        return cluster.live.version if cluster.live else ""

    def _trust(self) -> Trust:
        if self.unread is not None:
            raise self.unread
        return self.trust

    def _digest(self, name: str, reference: Reference) -> str:
        self.asked.append(str(reference))
        known = self.tags.get(f"{name}:{reference.tag}", digest(f"{name}:{reference.tag}"))
        return reference.digest or known

    def _check(
        self, environment: str, groups: tuple[str, ...], facts: Variables
    ) -> tuple[CheckResult, ...]:
        self.applied.append(f"check {'+'.join(groups)}")
        self.tick("before check")
        if self.restarting:
            self.cluster(environment).restarts += 1
        bad = facts["DEPLOY_VERSION"] in self.failing
        mark = Mark.FAILED if bad else Mark.PASSED
        self.tick("after check")
        return (
            CheckResult(
                name="ready", mark=mark, value="HTTP 500" if bad else "HTTP 200", bound="HTTP 200"
            ),
        )

    def _listed(self, facts: Variables) -> tuple[CheckResult, ...]:
        self.listed_for.append(facts)
        return self.listed

    def _hook(self, argv: tuple[str, ...], facts: Variables, limit: float) -> Ran:
        self.hooked.append((argv[0], dict(facts)))
        self.tick(f"before hook {argv[0]}")
        said = self.hooks.get(argv[0], Ran(code=0))
        if isinstance(said, Exception):
            raise said
        return said


_PLAYS = {
    Verb.DEPLOY: flow.deploy,
    Verb.MIGRATE: flow.migrate,
    Verb.PROMOTE: flow.deploy,
    Verb.ROLLBACK: flow.rollback,
    Verb.TAKE_DOWN: flow.take_down,
    Verb.POST_VERIFY: flow.post_verify,
    Verb.BACKUP: flow.backup,
    Verb.RESTORE: flow.restore,
    Verb.RESTORE_TEST: looking.restore_test,
    Verb.PROVISION: flow.provision,
    Verb.FINALIZE: flow.finalize,
    Verb.DRIFT: looking.drift,
    Verb.PREFLIGHT: looking.preflight,
    Verb.LOCK: unlock,
}


def cannot_decide() -> Exception:
    """What a store raises that does not answer."""
    return Refusal("the ledger cannot be reached", reason=Reason.CANNOT_DECIDE)
