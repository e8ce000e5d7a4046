"""The compose target: a Docker Compose stack on one host, pinned by digest."""

import shlex
from collections.abc import Callable, Collection, Mapping

from ci_lib.domain.differences import Differences
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health, Running
from ci_lib.domain.target import Candidate, Kept, OneOff, Wanted
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose import files, images, preflight, removal
from ci_lib.targets.compose.backup import backup
from ci_lib.targets.compose.commands import up
from ci_lib.targets.compose.compare import compare
from ci_lib.targets.compose.drift import drift
from ci_lib.targets.compose.images import Logins
from ci_lib.targets.compose.inside import diagnose
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.observe import adopted, observe
from ci_lib.targets.compose.once import once
from ci_lib.targets.compose.parsed import Parsed, parse
from ci_lib.targets.compose.restore import restore
from ci_lib.targets.compose.retention import let_go, marked
from ci_lib.targets.compose.serving import await_serving
from ci_lib.targets.compose.site import LOOK, Site, demand
from ci_lib.targets.compose.stage import Stage


class ComposeTarget:
    """``Target`` for one stack in one environment.

    ``logins`` are credentials for pulling, ``secret`` is the value of a variable of the job that deploy.yml
    names.
    """

    def __init__(self, *, site: Site, logins: Logins, secret: Callable[[str], str]) -> None:
        self._site = site
        self._secret = secret
        self._memory = Memory(site)
        self._layout = Layout(site, self._memory)
        self._stage = Stage(site, self._layout, self._memory)
        self._logins = logins
        self._lies: Parsed | None = None
        """What lies in the run directory, once a switch has put it there."""
        self._known: dict[tuple[str, ...], Parsed] = {}
        """What commands on files that are there read, for as long as nothing changes them."""
        self._seen: tuple[Running, ...] | None = None
        """What ran when it was looked at last, unless it was changed since."""
        self._steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.PREPARE: self._stage.prepare,
            StepKind.PULL: self._pull,
            StepKind.BACKUP: self._backup,
            StepKind.PROVISION: self._provision,
            StepKind.SWITCH: self._switch,
            StepKind.AWAIT_SERVING: self._await_serving,
            StepKind.RESTORE: self._restore,
            StepKind.RESTORE_BACKUP: self._restore_backup,
            StepKind.TAKE_DOWN: self._take_down,
            StepKind.STOP: self._stop,
            StepKind.START: self._start,
            StepKind.RETAIN: self._retain,
        }

    @property
    def supports(self) -> frozenset[StepKind]:
        """The step kinds that ``apply`` knows."""
        return frozenset({*self._steps, StepKind.MIGRATE})

    def observe(self) -> tuple[Running, ...]:
        """Every container of the project."""
        self._seen = observe(self._site)
        return self._seen

    def adopted(self) -> Release | None:
        """What runs in the project, asked where no current release is remembered."""
        return adopted(self._site)

    def kept(self) -> tuple[Kept, ...]:
        """The releases below ``.deploy-actions/releases``."""
        return self._memory.read().kept

    def resolve(self, wanted: Wanted) -> Candidate:
        """The release with its id, as the host understands its files."""
        return self._stage.resolve(wanted)

    def compare(self, candidate: Candidate) -> Differences:
        """Settings and files against those of the release that was switched to last."""
        return compare(self._site, self._memory.read(), self._stage.entries, candidate)

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """The host and the parsed Compose file against their bounds, and whether one could come back."""
        del candidate
        if self._stage.plain is None:
            raise StepFault("preflight before resolve", reason=Reason.BUG)
        kept = next((item.release for item in self.kept() if item.current), None)
        current = kept or self.adopted()
        back = [images.local(image) for image in current.images] if current else []
        facts = preflight.ask(self._site, self._stage.files, back)
        rows = list(preflight.judge(self._site.settings, self._stage.plain, facts))
        if current is not None:
            rows.append(preflight.rollback_target(current, facts))
        if current is not None and kept is None:
            rows.append(files.adoptable(self._site))
        return tuple(rows)

    def removable(self) -> tuple[CheckResult, ...]:
        """What stands against removing the whole project."""
        return removal.removable(self._site, set(self._services()))

    def drift(self, release: Release) -> tuple[CheckResult, ...]:
        """Pin, labels and files against what the switch to the release put there."""
        return drift(self._site, self._memory, release)

    def apply(self, step: Step) -> StepReport:
        """Perform a step."""
        return self._steps[step.kind](step)

    def once(self, job: OneOff) -> Ran:
        """Run a command in a container of its own, of what is staged or of what lies in the run directory."""
        command = self._stage.command if job.staged else self._layout.current
        if command not in self._known:
            listed = self._site.look(*command, "config", "--format", "json")
            text = demand(listed, "the Compose file does not parse").stdout
            self._known[command] = parse(text, staged=self._site.run_dir, run_dir=self._site.run_dir)
        service = self._known[command].services.get(job.workload)
        own = (service.config.get("environment") or {}) if service else {}
        return once(self._site, command, job, own)

    def diagnose(self) -> Packet:
        """The failure packet."""
        return diagnose(self._site)

    def advice(self) -> tuple[str, ...]:
        """How to call ``docker compose`` by hand without losing the pin."""
        if self._layout.loaded:
            return (f"by hand: docker compose in {self._site.run_dir} keeps the pin",)
        command = self._layout.command
        typed = command[command.index("docker") :]
        return (f"by hand, to keep the pin: {shlex.join(typed)} …",)

    def _pull(self, step: Step) -> StepReport:
        if step.image is not None:
            images.pull(self._site, step.image, self._logins, limit=step.time_limit)
        else:
            images.fetch(self._site, step.args["reference"], self._logins, limit=step.time_limit)
        return StepReport()

    def _backup(self, step: Step) -> StepReport:
        return StepReport(notes=backup(self._site, self._layout, step))

    def _restore_backup(self, step: Step) -> StepReport:
        return StepReport(notes=restore(self._site, self._layout, step))

    def _provision(self, step: Step) -> StepReport:
        from ci_lib.targets.compose.databases.provision import provision  # no other verb needs it

        notes = provision(self._site, step.args["name"], self._secret, limit=step.time_limit)
        return StepReport(notes=notes)

    def _switch(self, step: Step) -> StepReport:
        args = step.args
        before = Release.from_json(args["adopted"]) if args["adopted"] else None
        if before is not None:
            images.keep_adopted(self._site, before)
        pin, layout = self._layout.pin, self._layout.text
        self._changing()
        files.switch(
            self._site,
            _release(step),
            pin=pin,
            layout=layout,
            previous=args["previous"],
            adopted=before,
            leaving=args["leaving"],
            settings=self._stage.settings,
        )
        self._layout.follow(layout)
        self._lies = self._stage.ready
        self._up(tuple(args["services"]), step.time_limit)
        defined = self._lies.services if self._lies else self._site.settings.managed
        gone = self._site.settings.managed - set(defined)
        return self._removed({item.workload for item in self.observe()} - gone) if gone else StepReport()

    def _restore(self, step: Step) -> StepReport:
        """Bring files, layout and containers back, and remove the containers that the failed switch added.

        Without ``up`` nothing is started: the data have to come back first.
        """
        release = _release(step)
        self._changing()
        files.restore(self._site, failed=step.args["failed"], previous=release.id)
        self._layout.follow_current()
        if release.adopted:
            path = f"{self._site.run_dir}/{self._layout.pin}"
            content = self._layout.render_pin(release, (), self._site.settings.managed)
            demand(self._site.put(path, content, mode=0o644), "could not write the pin")
        if step.args.get("up", True):
            self._up(tuple(step.args["services"]), step.time_limit)
        return self._removed(set(self._services()) | set(step.args["known"]))

    def _changing(self) -> None:
        """What was known of the run directory and of what runs is about to be outdated."""
        self._memory.changed()
        self._lies = self._seen = None
        self._known.clear()

    def _up(self, services: tuple[str, ...], limit: float) -> None:
        ran = self._site.change(*self._layout.command, *up(services), limit=limit)
        demand(ran, "docker compose up failed", hint="see the logs in the evidence")

    def _removed(self, stay: Collection[str]) -> StepReport:
        """Remove the containers of all services but those that stay, and say so."""
        gone = [item for item in self.observe() if item.workload not in stay]
        if not gone:
            return StepReport()
        instances = [item.instance for item in gone]
        ran = self._site.change("docker", "rm", "-f", *instances, limit=LOOK)
        names = ", ".join(sorted({item.workload for item in gone}))
        demand(ran, f"could not remove {names}, which the release does not have")
        return StepReport(notes=(f"removed, since the release does not have it: {names}",))

    def _await_serving(self, step: Step) -> StepReport:
        services = tuple(step.args.get("services", ())) or self._services()
        await_serving(self._site, services, limit=step.time_limit)
        return StepReport()

    def _take_down(self, step: Step) -> StepReport:
        """Remove everything; after a first release that failed, only what it had not found. Volumes stay."""
        failed = str(step.args["failed"])
        if not failed:
            removal.remove(self._site, limit=step.time_limit)
            files.leave(self._site)
            self._changing()
            return StepReport()
        seen = tuple(item.instance for item in self.observe())
        removal.remove_new(self._site, seen, step.args["known"], limit=step.time_limit)
        files.restore(self._site, failed=failed, previous="")
        self._changing()
        return StepReport()

    def _stop(self, step: Step) -> StepReport:
        """Stop services, whatever lies in the run directory; the containers stay, to be started again."""
        services = step.args["services"]
        running = [
            item.instance
            for item in self.observe()
            if item.workload in services and item.health is not Health.EXITED
        ]
        self._seen = None
        if running:
            demand(self._site.change("docker", "stop", *running, limit=step.time_limit), "docker stop failed")
        return StepReport()

    def _start(self, step: Step) -> StepReport:
        """Bring up what lies in the run directory."""
        self._layout.follow_current(once=True)
        self._seen = None
        self._up(tuple(step.args["services"]), step.time_limit)
        return StepReport()

    def _retain(self, step: Step) -> StepReport:
        args = step.args
        mark = _release(step).id if args["good"] else ""
        tags = marked(self._site, mark)
        self._memory.changed()
        if args["tidy"]:
            let_go(self._site, self._memory, stay=(_release(step).id, args["previous"]), tags=tags)
        seen = self.observe() if self._seen is None else self._seen
        orphans = sorted({item.workload for item in seen} - set(self._services()))
        return StepReport(notes=(f"orphans, left alone: {', '.join(orphans)}",) if orphans else ())

    def _services(self) -> tuple[str, ...]:
        """The services that the Compose file in the run directory has running."""
        lies = self._lies or self._read()
        return tuple(name for name, service in lies.services.items() if service.instances > 0)

    def _read(self) -> Parsed:
        self._layout.follow_current(once=True)
        listed = self._site.look(*self._layout.command, "config", "--format", "json")
        text = demand(listed, "the Compose file does not parse").stdout
        self._lies = parse(text, staged=self._site.run_dir, run_dir=self._site.run_dir)
        return self._lies


def _release(step: Step) -> Release:
    if step.release is None:
        raise StepFault(f"{step.name} needs a release", reason=Reason.BUG)
    return step.release
