"""The process target: releases are folders known by their content, services are local processes.

No Docker, this machine only; it serves the quick start and local work. On a hosted CI runner its processes
end with the job.
"""

import shlex
from collections.abc import Callable, Mapping

from ci_lib.config.resolved import Resolved
from ci_lib.domain.differences import Differences, compared
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Logs, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Running
from ci_lib.domain.state import Fence, in_time
from ci_lib.domain.target import Candidate, Kept, OneOff, Wanted
from ci_lib.ports.protocols import Clock, Host, Locked, Processes, Ran
from ci_lib.targets.process import services
from ci_lib.targets.process.folders import Folders
from ci_lib.targets.process.preflight import programs
from ci_lib.targets.process.site import BUSY_WAIT, Site
from ci_lib.targets.process.specs import Specs, configured, settings_of, specs_hash

_LIMIT = 10.0
_BUSY, _TIME_OVER = 75, 124


class ProcessTarget:
    """``Target`` and ``Containers`` for local processes; the parameters are explained at ``Site``."""

    def __init__(
        self,
        *,
        settings: Resolved,
        host: Host,
        processes: Processes,
        clock: Clock,
        base: Mapping[str, str],
        fence: Fence,
        locked: Locked,
    ) -> None:
        self._site = Site(
            settings=settings,
            host=host,
            processes=processes,
            clock=clock,
            base=base,
            fence=fence,
            locked=locked,
        )
        self._folders = Folders(self._site)
        self._steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.PREPARE: self._prepare,
            StepKind.PULL: self._pull,
            StepKind.SWITCH: self._switch,
            StepKind.RESTORE: self._restore,
            StepKind.AWAIT_SERVING: self._await_serving,
            StepKind.TAKE_DOWN: self._take_down,
            StepKind.STOP: self._stop,
            StepKind.START: self._restore,
            StepKind.RETAIN: self._retain,
        }

    @property
    def supports(self) -> frozenset[StepKind]:
        """The step kinds that ``apply`` knows."""
        return frozenset({*self._steps, StepKind.MIGRATE})

    def observe(self) -> tuple[Running, ...]:
        """Every process that we started, each with the hash of the folder that it runs in."""
        return services.observe(self._site, self._folders)

    def adopted(self) -> Release | None:
        """Nothing: a process that we did not start cannot be known."""
        return None

    def kept(self) -> tuple[Kept, ...]:
        """The releases whose folders are still here."""
        return self._site.book().kept

    def resolve(self, wanted: Wanted) -> Candidate:
        """A release of folders, and of how its services are started: a changed command is a change.

        A kept release is started as it was when it was kept, whatever deploy.yml says by now.
        """
        specs = self._specs_of_kept(wanted.snapshot) if wanted.snapshot else configured(self._site.settings)
        release = Release(images=wanted.images, services=specs_hash(specs))
        workloads = dict.fromkeys(specs, 1)
        return Candidate(release=release, workloads=workloads, settings=settings_of(specs))

    def compare(self, candidate: Candidate) -> Differences:
        """How services are started now and would be; files are part of an image here."""
        book = self._site.book()
        current = book.find(book.current)
        before = settings_of(current.specs) if current else {}
        return Differences(settings=compared(before, candidate.settings))

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """Whether the programs that the services start with can be found and executed."""
        return programs(self._site, candidate.release, self._specs(candidate.release))

    def drift(self, release: Release) -> tuple[CheckResult, ...]:
        """Nothing more: a release's files are its image here, known by their content."""
        del release
        return ()

    def removable(self) -> tuple[CheckResult, ...]:
        """Nothing: what runs is known from what was started, and starts again in the same way."""
        return ()

    def apply(self, step: Step) -> StepReport:
        """Perform a step."""
        if step.kind is StepKind.AWAIT_SERVING:  # it only looks
            return self._await_serving(step)
        with self._site.changing():
            return self._steps[step.kind](step)

    def once(self, job: OneOff) -> Ran:
        """Run a command in the release's folder, with nothing but the service's own environment."""
        spec = self._specs(job.release).get(job.workload)
        image = job.release.image(spec.image) if spec else None
        if spec is None or image is None:
            raise StepFault(f"the release has no service {job.workload}", hint="see `migration.service`")
        given = {**self._site.base, **spec.env, **job.env}
        command = ("env", "-i", *(f"{name}={value}" for name, value in given.items()), *job.command)
        # As every change on a host: whoever clears up after a kill waits for it, and it ends by itself.
        guard = ("flock", "-w", str(BUSY_WAIT), "-E", str(_BUSY), self._site.busy, *self._site.fence())
        timed = ("timeout", "-k", "5", str(max(1, int(job.time_limit))))
        limit = job.time_limit + BUSY_WAIT + _LIMIT
        folder = str(self._site.folder(image))
        ran = in_time(self._site.host.run((*guard, *timed, *command), timeout=limit, cwd=folder))
        if ran.code == _BUSY:
            raise StepFault("a command of another run is still at work", hint="wait", reason=Reason.STATE)
        if ran.code == _TIME_OVER:
            raise StepFault(f"{shlex.join(job.command)} took longer than {job.time_limit:.0f} s")
        return ran

    def advice(self) -> tuple[str, ...]:
        """Where the logs are."""
        return (f"logs: {self._site.logs}",)

    def diagnose(self) -> Packet:
        """The end of every service's log."""
        return Packet(
            services=tuple(
                Logs(service=item.workload, lines=self._site.log_end(item.workload), state=str(item.health))
                for item in self.observe()
            )
        )

    def address(self, service: str) -> str:
        """Local processes listen here."""
        del service
        return "127.0.0.1"

    def exec(
        self, service: str, argv: tuple[str, ...], *, timeout: float, stdin: bytes = b""
    ) -> Ran:
        """Run a command in the folder that the service runs in."""
        started = self._site.book().started.get(service)
        if started is None:
            return Ran(code=127, stderr=f"{service} does not run")
        folder = str(self._site.folder(started.image))
        return self._site.host.run(argv, stdin=stdin, timeout=timeout, cwd=folder)

    def _prepare(self, _: Step) -> StepReport:
        logs = self._site.logs
        ran = self._site.host.run(["mkdir", "-p", "-m", "0700", logs], timeout=_LIMIT)
        if not ran.ok:
            raise StepFault(f"{logs} could not be made: {ran.said}")
        return StepReport()

    def _pull(self, step: Step) -> StepReport:
        if step.image is None:
            raise StepFault("the process target has no images but its own", reason=Reason.BUG)
        self._folders.bring(step.image)
        return StepReport()

    def _switch(self, step: Step) -> StepReport:
        release = _release(step)
        services.switch(self._site, release, self._specs(release), leaving=step.args["leaving"])
        return StepReport()

    def _restore(self, step: Step) -> StepReport:
        release = _release(step)
        services.switch(self._site, release, self._specs(release), leaving=False)
        return StepReport()

    def _await_serving(self, step: Step) -> StepReport:
        services.await_serving(self._site, limit=step.time_limit)
        return StepReport()

    def _take_down(self, _: Step) -> StepReport:
        services.take_down(self._site)
        return StepReport()

    def _stop(self, _: Step) -> StepReport:
        services.stop(self._site)
        return StepReport()

    def _retain(self, step: Step) -> StepReport:
        release, book = _release(step), self._site.book()
        good, tidy = bool(step.args["good"]), bool(step.args["tidy"])
        if good:
            book = book.mark_good(release)
        if tidy:
            book = book.let_go(stay=(release.id, str(step.args["previous"])))
        self._site.remember(book)
        if tidy:
            self._folders.forget()
        return StepReport()

    def _specs(self, release: Release) -> Specs:
        """How the release's services are started: what deploy.yml says, or what was kept with a release."""
        now = configured(self._site.settings)
        specs = now if specs_hash(now) == release.services else self._site.book().specs(release.services)
        if specs is None:
            raise StepFault(
                f"how release {release.version} is started is not remembered here", hint="deploy it again"
            )
        return specs

    def _specs_of_kept(self, release_id: str) -> Specs:
        known = self._site.book().find(release_id)
        if known is None:
            raise StepFault(f"release {release_id[:12]} is not kept here", reason=Reason.PREFLIGHT)
        return known.specs


def _release(step: Step) -> Release:
    if step.release is None:
        raise StepFault(f"{step.name} needs a release", reason=Reason.BUG)
    return step.release
