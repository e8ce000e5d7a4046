"""The compose target: a Docker Compose stack on one host, pinned by digest."""

import secrets
import shlex
from collections.abc import Callable, Collection, Mapping

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Running
from ci_lib.domain.target import Candidate, Kept, Wanted
from ci_lib.domain.tree import tree_hash
from ci_lib.targets.compose import files, images, preflight
from ci_lib.targets.compose.backup import backup
from ci_lib.targets.compose.commands import compose, up
from ci_lib.targets.compose.images import Logins
from ci_lib.targets.compose.inside import diagnose
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.observe import adopted, observe
from ci_lib.targets.compose.parsed import Parsed, differences, parse, services_hash
from ci_lib.targets.compose.pin import EXPLICIT, pinned
from ci_lib.targets.compose.serving import await_serving
from ci_lib.targets.compose.site import LOOK, Site, demand


class ComposeTarget:
    """``Target`` for one stack in one environment; ``logins`` are credentials for pulling."""

    supports = frozenset(StepKind) - {StepKind.PREFLIGHT, StepKind.PROVE, StepKind.CHECK, StepKind.HOOK}

    def __init__(self, *, site: Site, logins: Logins) -> None:
        self._site = site
        self._layout = Layout(site)
        self._logins = logins
        self._parsed: Parsed | None = None
        self._defined: frozenset[str] = site.settings.managed
        self._steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.PREPARE: self._prepare,
            StepKind.PULL: self._pull,
            StepKind.BACKUP: self._backup,
            StepKind.SWITCH: self._switch,
            StepKind.AWAIT_SERVING: self._await_serving,
            StepKind.RESTORE: self._restore,
            StepKind.TAKE_DOWN: self._take_down,
            StepKind.RETAIN: self._retain,
        }

    def observe(self) -> tuple[Running, ...]:
        """Every container of the project."""
        return observe(self._site)

    def adopted(self) -> Release | None:
        """What runs in the project, asked where no current release is remembered."""
        return adopted(self._site)

    def kept(self) -> tuple[Kept, ...]:
        """The releases below ``.deploy-actions/releases``."""
        return files.kept(self._site)

    def resolve(self, wanted: Wanted) -> Candidate:
        """The release with its id.

        Kept files keep the identity that they had; the checkout's are parsed on the host, in a folder that is
        removed again, since only the host knows the ``.env`` that completes them.
        """
        if wanted.snapshot:
            return self._resolve_kept(wanted)
        tree = self._layout.source()
        name = f"plan-{secrets.token_hex(6)}"
        try:
            parsed = self._parse(files.stage(self._site, name, tree), self._layout.files)
        finally:
            files.discard(self._site, name)
        self._parsed = parsed
        missing = sorted(self._site.settings.managed - set(parsed.services))
        if missing:
            raise StepFault(
                f"the Compose file has no service {', '.join(missing)}",
                hint="check `images.*.services` in deploy.yml",
                reason=Reason.PREFLIGHT,
            )
        managed = self._site.settings.managed
        release = Release(
            images=wanted.images, files=tree_hash(tree), services=services_hash(parsed, sorted(managed))
        )
        return Candidate(
            release=release,
            workloads=parsed.workloads(managed),
            others=parsed.other_images(managed),
        )

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """The host and the parsed Compose file against their bounds, and whether one could come back."""
        del candidate
        if self._parsed is None:
            raise StepFault("preflight before resolve", reason=Reason.BUG)
        rows = list(preflight.judge(self._site.settings, self._parsed, preflight.ask(self._site)))
        kept = next((item.release for item in self.kept() if item.current), None)
        current = kept or self.adopted()
        if current is not None:
            rows.append(images.rollback_ready(self._site, current))
        if current is not None and kept is None:
            rows.append(files.adoptable(self._site))
        return tuple(rows)

    def apply(self, step: Step) -> StepReport:
        """Perform a step."""
        return self._steps[step.kind](step)

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

    def _prepare(self, step: Step) -> StepReport:
        """Stage what will be, pin and all, and demand that only the pin's images differ."""
        release = _release(step)
        folder = self._stage(release, step)
        plain = self._parse(folder, self._layout.files)
        content = self._layout.render_pin(release, tuple(step.args["services"]), plain.services)
        self._site.host.write(f"{folder}/{self._layout.pin}", content, mode=0o644)
        self._defined = frozenset(plain.services)
        wanted = pinned(release, self._site.settings)
        expected = {name: wanted[name] for name in wanted if name in plain.services}
        changed = self._parse(folder, (*self._layout.files, self._layout.pin))
        wrong = differences(plain, changed, expected)
        if wrong:
            raise StepFault(
                f"the pinned Compose file is not what was asked for: {'; '.join(wrong)}",
                reason=Reason.PREFLIGHT,
            )
        if self._layout.loaded:
            return StepReport()
        note = f"plain `docker compose` does not load the pin {EXPLICIT}; `status` prints the command"
        return StepReport(notes=(note,))

    def _stage(self, release: Release, step: Step) -> str:
        """Put the release's files into ``next``."""
        if step.args["snapshot"]:
            folder, layout = files.stage_kept(self._site, "next", step.args["snapshot"])
            self._layout.follow(layout)
            return folder
        tree = self._layout.source()
        if tree_hash(tree) != release.files:
            raise StepFault("the checkout's files changed while this ran", hint="run again")
        files.discard(self._site, "next")
        return files.stage(self._site, "next", tree)

    def _pull(self, step: Step) -> StepReport:
        if step.image is not None:
            images.pull(self._site, step.image, self._logins, limit=step.time_limit)
        else:
            images.fetch(self._site, step.args["reference"], self._logins, limit=step.time_limit)
        return StepReport()

    def _backup(self, step: Step) -> StepReport:
        return StepReport(notes=(f"backup in {backup(self._site, limit=step.time_limit)}",))

    def _switch(self, step: Step) -> StepReport:
        args = step.args
        before = Release.from_json(args["adopted"]) if args["adopted"] else None
        if before is not None:
            images.keep_adopted(self._site, before)
        files.switch(
            self._site,
            _release(step),
            pin=self._layout.pin,
            layout=self._layout.text,
            previous=args["previous"],
            adopted=before,
        )
        self._layout.follow(self._layout.text)
        self._up(tuple(args["services"]), step.time_limit)
        gone = self._site.settings.managed - self._defined
        return self._removed({item.workload for item in self.observe()} - gone) if gone else StepReport()

    def _restore(self, step: Step) -> StepReport:
        """Bring files, layout and containers back, and remove the containers that the failed switch added."""
        release = _release(step)
        files.restore(self._site, failed=step.args["failed"], previous=release.id)
        self._layout.follow_current()
        if release.adopted:
            path = f"{self._site.run_dir}/{self._layout.pin}"
            content = self._layout.render_pin(release, (), self._site.settings.managed)
            self._site.host.write(path, content, mode=0o644)
        self._up(tuple(step.args["services"]), step.time_limit)
        return self._removed(set(self._services()) | set(step.args["known"]))

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
        """Remove the containers of a failed first release, and no others; volumes stay, as ever."""
        known = set(step.args["known"])
        gone = [item.instance for item in self.observe() if item.instance not in known]
        if known and gone:
            argv: tuple[str, ...] = ("docker", "rm", "-f", *gone)
        else:
            # By project name alone: the files may not have reached the run directory.
            argv = ("docker", "compose", "-p", self._site.project, "down")
        if gone:
            demand(self._site.change(*argv, limit=step.time_limit), "the failed release cannot be removed")
        files.restore(self._site, failed=_release(step).id, previous="")
        return StepReport()

    def _retain(self, step: Step) -> StepReport:
        good, previous = bool(step.args["good"]), str(step.args["previous"])
        left = files.retain(self._site, _release(step), good=good, previous=previous)
        images.forget(self._site, left)
        return StepReport(notes=self._orphans())

    def _services(self) -> tuple[str, ...]:
        """The services of the Compose file that lies in the run directory now."""
        self._layout.follow_current(once=True)
        listed = self._site.look(*self._layout.command, "config", "--format", "json")
        text = demand(listed, "the Compose file does not parse").stdout
        services = parse(text, staged=self._site.run_dir, run_dir=self._site.run_dir).services
        return tuple(name for name, service in services.items() if service.instances > 0)

    def _orphans(self) -> tuple[str, ...]:
        orphans = sorted({item.workload for item in self.observe()} - set(self._services()))
        return (f"orphans, left alone: {', '.join(orphans)}",) if orphans else ()

    def _resolve_kept(self, wanted: Wanted) -> Candidate:
        kept = next((item.release for item in self.kept() if item.release.id == wanted.snapshot), None)
        if kept is None:
            raise StepFault(f"release {wanted.snapshot[:12]} is not kept here", reason=Reason.PREFLIGHT)
        name = f"plan-{secrets.token_hex(6)}"
        try:
            folder, layout = files.stage_kept(self._site, name, wanted.snapshot)
            self._layout.follow(layout)
            parsed = self._parse(folder, self._layout.files)
        finally:
            files.discard(self._site, name)
        release = Release(images=wanted.images, files=kept.files, services=kept.services)
        return Candidate(release=release, workloads=parsed.workloads(self._site.settings.managed))

    def _parse(self, folder: str, names: tuple[str, ...]) -> Parsed:
        site, arguments = self._site, ("config", "--format", "json")
        argv = compose(site.environment, folder, site.project, names, *arguments)
        ran = demand(
            files.seen_from(self._site, folder, argv),
            "the Compose file does not parse",
            hint="run `docker compose config` in the source folder",
            reason=Reason.PREFLIGHT,
        )
        return parse(ran.stdout, staged=folder, run_dir=self._site.run_dir)


def _release(step: Step) -> Release:
    if step.release is None:
        raise StepFault(f"{step.name} needs a release", reason=Reason.BUG)
    return step.release
