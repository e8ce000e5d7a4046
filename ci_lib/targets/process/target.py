"""The process target: releases are folders known by their content, services are local processes.

No Docker, this machine only; it serves the quick start and local work. On a hosted CI runner its processes
end with the job.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ci_lib.config.models import Service
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Image, Release
from ci_lib.domain.outcome import CheckResult, Logs, Mark, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health, Running
from ci_lib.domain.target import Candidate, Kept, Wanted
from ci_lib.domain.tree import tree_hash
from ci_lib.ports.protocols import Clock, Host, NotFound, Processes, Ran
from ci_lib.targets.process.book import Book, Started
from ci_lib.targets.process.builds import build_of
from ci_lib.targets.trees import read_tree

_POLL = 0.1
_LOG_LINES = 200


class ProcessTarget:
    """``Target`` and ``Containers`` for local processes.

    ``base`` is the environment that every service starts with (PATH, HOME, LANG): nothing else of ours is
    handed on, since it may hold secrets.
    """

    supports = frozenset(
        {
            StepKind.PREPARE,
            StepKind.PULL,
            StepKind.SWITCH,
            StepKind.AWAIT_SERVING,
            StepKind.RESTORE,
            StepKind.TAKE_DOWN,
            StepKind.RETAIN,
        }
    )

    def __init__(
        self,
        *,
        settings: Resolved,
        host: Host,
        processes: Processes,
        clock: Clock,
        base: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._host = host
        self._processes = processes
        self._clock = clock
        self._base = base
        self._run_dir = settings.settings.process.run_dir
        self._hashes: dict[Path, str] = {}
        self._steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.PREPARE: self._prepare,
            StepKind.PULL: self._pull,
            StepKind.SWITCH: self._switch,
            StepKind.RESTORE: self._switch,
            StepKind.AWAIT_SERVING: self._await_serving,
            StepKind.TAKE_DOWN: self._take_down,
            StepKind.RETAIN: self._retain,
        }

    def observe(self) -> tuple[Running, ...]:
        """The processes in the book, each with the hash of the folder that it was started in."""
        book = self._book()
        found = []
        for name, started in book.started.items():
            release = book.release(started.release_id)
            image = self._image_of(name, release) if release else None
            alive = self._processes.alive(started.process)
            found.append(
                Running(
                    workload=name,
                    instance=str(started.process.pid),
                    host=self._host.name,
                    image_ids=(f"{image.repository}@{self._content(image)}",) if image else (),
                    health=Health.NONE if alive else Health.EXITED,
                    started_at=started.process.started,
                    release_id=started.release_id,
                    age=self._clock.now().timestamp() - started.at,
                )
            )
        return tuple(found)

    def adopted(self) -> Release | None:
        """Nothing: a process that we did not start cannot be known."""
        return None

    def kept(self) -> tuple[Kept, ...]:
        """The releases whose folders are still here."""
        return self._book().kept

    def resolve(self, wanted: Wanted) -> Candidate:
        """A release of folders; its services are part of its identity, so a changed command is a change."""
        services = {
            name: service.model_dump(mode="json")
            for name, service in self._settings.settings.process.services.items()
        }
        text = json.dumps(services, sort_keys=True)
        release = Release(images=wanted.images, services=hashlib.sha256(text.encode()).hexdigest())
        return Candidate(release=release, workloads=dict.fromkeys(services, 1))

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """Whether the programs that the services start with can be found."""
        return tuple(self._found(name, candidate.release) for name in candidate.workloads)

    def apply(self, step: Step) -> StepReport:
        """Perform a step."""
        return self._steps[step.kind](step)

    def advice(self) -> tuple[str, ...]:
        """Where the logs are."""
        return (f"logs: {self._path('logs')}",)

    def diagnose(self) -> Packet:
        """The end of every service's log."""
        services = tuple(
            Logs(service=item.workload, lines=self._log_end(item.workload), state=str(item.health))
            for item in self.observe()
        )
        return Packet(services=services)

    def address(self, service: str) -> str:
        """Local processes listen here."""
        del service
        return "127.0.0.1"

    def exec(self, service: str, argv: tuple[str, ...], *, timeout: float) -> Ran:
        """Run a command in the folder of the service's release."""
        release = self._book().release(self._book().current)
        image = self._image_of(service, release) if release else None
        if image is None:
            return Ran(code=127, stderr=f"{service} does not run")
        return self._host.run(argv, timeout=timeout, cwd=str(self._folder(image)))

    def _prepare(self, _: Step) -> StepReport:
        ran = self._host.run(["mkdir", "-p", "-m", "0700", self._path("logs")], timeout=10)
        if not ran.ok:
            raise StepFault(f"{self._path('logs')} could not be made: {ran.said}")
        return StepReport()

    def _pull(self, step: Step) -> StepReport:
        if step.image is None:
            raise StepFault("the process target has no images but its own", reason=Reason.PULL)
        folder = self._folder(step.image)
        self._hashes.pop(folder, None)
        if folder.is_dir() and self._content(step.image) == step.image.digest:
            return StepReport()
        if folder not in self._used():  # half of an upload that was killed
            self._host.run(["rm", "-rf", "--", str(folder)], timeout=60)
        self._host.upload(build_of(Path(self._settings.folder), step.image), str(folder))
        self._hashes.pop(folder, None)
        if self._content(step.image) != step.image.digest:
            raise StepFault(
                f"{folder} holds other files than {step.image.label}",
                hint="remove that folder and run again",
                reason=Reason.PULL,
            )
        return StepReport()

    def _switch(self, step: Step) -> StepReport:
        release = _release(step)
        book = self._stopped(self._book())
        started: dict[str, Started] = {}
        for name, service in self._settings.settings.process.services.items():
            image = self._image_of(name, release)
            if image is None:
                raise StepFault(f"release {release.version} has no image for service {name}")
            started[name] = self._start(name, service, image, release)
            book = book.serve(release, dict(started))
            book.write(self._host, self._path("book.json"))
        return StepReport()

    def _start(self, name: str, service: Service, image: Image, release: Release) -> Started:
        facts = {
            "DEPLOY_STACK": self._settings.stack,
            "DEPLOY_ENVIRONMENT": self._settings.environment,
            "DEPLOY_VERSION": release.version,
            "DEPLOY_RELEASE_ID": release.id,
        }
        process = self._processes.start(
            service.command,
            cwd=str(self._folder(image)),
            env=dict(self._base) | facts | service.env,
            log=self._path(f"logs/{name}.log"),
        )
        return Started(process=process, release_id=release.id, at=self._clock.now().timestamp())

    def _await_serving(self, step: Step) -> StepReport:
        deadline = self._clock.monotonic() + step.time_limit
        settle = self._settings.settings.process.settle
        while True:
            running = self.observe()
            dead = [item.workload for item in running if item.health is Health.EXITED]
            if dead:
                raise StepFault(
                    f"{', '.join(dead)} ended right after its start: {self._log_end(dead[0], 1).strip()}",
                    hint="see the logs in the evidence",
                )
            if all(item.age >= settle for item in running):
                return StepReport()
            if self._clock.monotonic() >= deadline:
                raise StepFault(f"not serving after {step.time_limit:.0f} s")
            self._clock.sleep(_POLL)

    def _take_down(self, _: Step) -> StepReport:
        book = replace(self._stopped(self._book()), current="")
        book.write(self._host, self._path("book.json"))
        return StepReport()

    def _retain(self, step: Step) -> StepReport:
        book = self._book().retain(
            _release(step), good=bool(step.args["good"]), previous=str(step.args["previous"])
        )
        book.write(self._host, self._path("book.json"))
        self._forget(book)
        return StepReport()

    def _forget(self, book: Book) -> None:
        """Remove the folders of images that no kept release has."""
        used = {self._folder(image).name for item in book.kept for image in item.release.images}
        images = Path(self._path("images"))
        for folder in images.iterdir() if images.is_dir() else ():
            if folder.name not in used:
                self._host.run(["rm", "-rf", "--", str(folder)], timeout=60)

    def _stopped(self, book: Book) -> Book:
        grace = self._settings.settings.process.stop_grace
        for started in book.started.values():
            self._processes.stop(started.process, grace=grace)
        return replace(book, started={})

    def _used(self) -> frozenset[Path]:
        """The folders that processes run in now."""
        book = self._book()
        alive = {name: item for name, item in book.started.items() if self._processes.alive(item.process)}
        releases = ((name, book.release(item.release_id)) for name, item in alive.items())
        images = (self._image_of(name, release) for name, release in releases if release)
        return frozenset(self._folder(image) for image in images if image)

    def _found(self, name: str, release: Release) -> CheckResult:
        program = self._settings.settings.process.services[name].command[0]
        image = self._image_of(name, release)
        if "/" in program and image is not None:  # from the release's folder, where the service starts
            build = Path(self._settings.folder) / image.repository / image.tag
            found, where = (build / program).is_file(), "in the build"
        else:
            where = "on PATH"
            found = self._host.run(["sh", "-c", 'command -v "$1"', "sh", program], timeout=10).ok
        return CheckResult(
            name=f"program of {name}",
            mark=Mark.PASSED if found else Mark.FAILED,
            value=program if found else f"{program} is not {where}",
            bound="can be started",
        )

    def _log_end(self, service: str, lines: int = _LOG_LINES) -> str:
        try:
            data = self._host.read(self._path(f"logs/{service}.log"))
        except NotFound:
            return ""
        return "\n".join(data.decode(errors="replace").splitlines()[-lines:])

    def _image_of(self, service: str, release: Release) -> Image | None:
        for name, image in self._settings.images.items():
            if service in image.services:
                return release.image(name)
        return None

    def _content(self, image: Image) -> str:
        """The hash of the image's folder, read once a run: what is hashed does not change by itself."""
        folder = self._folder(image)
        if folder not in self._hashes:
            self._hashes[folder] = f"sha256:{tree_hash(read_tree(folder))}" if folder.is_dir() else "missing"
        return self._hashes[folder]

    def _folder(self, image: Image) -> Path:
        return Path(self._path("images")) / image.digest.replace(":", "-")

    def _path(self, name: str) -> str:
        return f"{self._run_dir}/{name}"

    def _book(self) -> Book:
        return Book.read(self._host, self._path("book.json"))


def _release(step: Step) -> Release:
    if step.release is None:
        raise StepFault(f"{step.name} needs a release", reason=Reason.BUG)
    return step.release
