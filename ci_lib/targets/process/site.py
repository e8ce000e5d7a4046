"""Where a stack lives on this machine, and what it is worked on with."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_lib.config.models import Processes as ProcessSettings
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Image
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Fence, in_time
from ci_lib.ports.protocols import Clock, Host, Locked, NotFound, Processes, TimedOut
from ci_lib.targets.process.book import Book

BUSY_WAIT = 30
"""Seconds that a change waits for the one before it."""

_LOG_LINES = 200
_LIMIT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One stack in one environment on this machine.

    ``base`` is the environment that every service starts with (PATH, HOME, LANG): nothing else of ours is
    handed on, since it may hold secrets. ``fence`` and ``locked`` keep a run that has lost the lock from
    changing anything.
    """

    settings: Resolved
    host: Host
    processes: Processes
    clock: Clock
    base: Mapping[str, str]
    fence: Fence
    locked: Locked

    @property
    def process(self) -> ProcessSettings:
        """The target's settings."""
        return self.settings.settings.process

    @property
    def busy(self) -> str:
        """The file whose ``flock`` everything that changes something holds."""
        return f"{self.process.run_dir}/.deploy-actions/busy"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Change something in the block, under ``busy`` and under the lock; raises ``Refusal`` (LOST_LOCK).

        Much is done by this very process here, and not by commands. Should it be paused in the block, then
        whoever takes the lock over finds ``busy`` held, and does nothing before this process goes on or ends.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self.locked(self.busy, wait=BUSY_WAIT))
            except TimedOut as error:
                raise StepFault(
                    f"another run is still at work: {error}",
                    hint="wait for it, then run again",
                    reason=Reason.STATE,
                ) from error
            if words := self.fence():
                in_time(self.host.run((*words, "true"), timeout=_LIMIT))
            yield

    @property
    def logs(self) -> str:
        """The folder of the services' logs."""
        return f"{self.process.run_dir}/logs"

    @property
    def images(self) -> Path:
        """The folder of the releases' folders."""
        return Path(self.process.run_dir) / "images"

    def folder(self, image: Image) -> Path:
        """The folder that an image is kept in, and that its services run in."""
        return self.images / image.digest.replace(":", "-")

    def log(self, service: str) -> str:
        """The log of a service since its last start; the one before it lies beside it, as ``.log.1``."""
        return f"{self.logs}/{service}.log"

    def begin_log(self, service: str) -> None:
        """Put a service's log aside: the next start must not be explained by an older release's words."""
        log = Path(self.log(service))
        try:
            log.replace(f"{log}.1")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StepFault(f"{log} could not be put aside: {error}") from error

    def log_end(self, service: str, lines: int = _LOG_LINES) -> str:
        """The last lines of a service's log; empty where there is none."""
        try:
            data = self.host.read(self.log(service))
        except NotFound:
            return ""
        return "\n".join(data.decode(errors="replace").splitlines()[-lines:])

    def book(self) -> Book:
        """What was remembered."""
        return Book.read(self.host, self._book)

    def remember(self, book: Book) -> None:
        """Replace what was remembered."""
        book.write(self.host, self._book)

    @property
    def _book(self) -> str:
        return f"{self.process.run_dir}/book.json"
