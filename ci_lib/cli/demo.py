"""``deploy-actions demo``: a whole release story on local processes, in a temporary folder.

It calls the same command line that CI calls, one process a verb, and prints each command before it runs.
"""

import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from ci_lib.cli.console import Session, Values
from ci_lib.cli.demo_files import write_demo
from ci_lib.cli.look import Found, look
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Exit, Reason
from ci_lib.ports.processes import SystemProcesses
from ci_lib.ports.protocols import Process

_LIMIT = 120.0

_IN_ORDER = ("sh", "-c", 'exec "$@" 2>&1', "sh")
"""Before a command: both of its streams are one, so that a warning stands where it was given."""

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ci_lib.cli.main import main; main()"
"""What ``actions/_setup/run.py`` does, which an installed package does not have."""

_GONE = (
    "The processes were ended, and the folder with their logs and evidence was removed; "
    "`deploy-actions demo --keep` keeps both.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One command of the story, what it shows, and the exit code that it must end with."""

    told: str
    words: tuple[str, ...]
    ends: Exit = Exit.OK


STORY = (
    Scene(told="v1 goes to staging", words=("deploy", "--environment", "staging", "--version", "v1")),
    Scene(
        told="the same content is promoted: production takes it because staging verified it",
        words=("promote", "--environment", "production", "--version", "v1"),
    ),
    Scene(
        told="v2 is broken: staging comes back to v1 by itself",
        words=("deploy", "--environment", "staging", "--version", "v2"),
        ends=Exit.ROLLED_BACK,
    ),
    Scene(
        told="production refuses v2: nobody verified it",
        words=("promote", "--environment", "production", "--version", "v2"),
        ends=Exit.NOT_VERIFIED,
    ),
    Scene(told="what happened, from the ledger", words=("history",)),
    Scene(told="what runs in production, proved", words=("status", "--environment", "production")),
)


def run(values: Values) -> Exit:
    """Play the story; the folder and its processes are gone afterwards, unless ``--keep`` is given."""
    return look(values, lambda session: _play(session, keep=values["keep"]))


def _play(session: Session, *, keep: bool) -> Found:
    folder = Path(tempfile.mkdtemp(prefix="deploy-actions-demo-"))
    try:
        write_demo(folder)
        for scene in STORY:
            _scene(session, folder, scene)
        text = _summary(folder)
    finally:
        if not keep:
            _stop(session, folder)
            rmtree(folder, ignore_errors=True)
    closing = _left(session, folder) if keep else _GONE
    return Found(data={}, text=f"The job summary of the refusal, as a CI would show it:\n\n{text}\n{closing}")


def _scene(session: Session, folder: Path, scene: Scene) -> None:
    out = sys.stdout
    out.write(f"\n── {scene.told}\n$ deploy-actions {' '.join(scene.words)}\n")
    no_ci = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI", "RUNNER_TEMP"), "")
    ran = session.runner.run(_argv(scene.words), timeout=_LIMIT, cwd=str(folder), env=no_ci)
    out.write(f"{ran.stdout}(exit {ran.code})\n")
    out.flush()
    if ran.code != scene.ends:
        raise StepFault(f"the demo expected exit {int(scene.ends)}, not {ran.code}", reason=Reason.BUG)


def _argv(words: Sequence[str]) -> list[str]:
    """The command line again, from wherever this copy of the package lies: a checkout, or installed."""
    package = Path(__file__).resolve().parents[2]
    return [*_IN_ORDER, sys.executable, "-I", "-c", _START, str(package), *words]


def _summary(folder: Path) -> str:
    evidence = folder / ".deploy-actions" / "evidence"
    newest = max(evidence.glob("evidence-promote-*"), key=lambda path: path.stat().st_mtime)
    return (newest / "summary.md").read_text()


def _left(session: Session, folder: Path) -> str:
    """What ``--keep`` leaves behind, and how to end it."""
    ids = " ".join(str(process.pid) for process in _started(session, folder))
    return (
        f"The folder is {folder}, and its processes run on. When you are done:\n\n"
        f"  kill {ids}\n  rm -r {shlex.quote(str(folder))}\n"
    )


def _stop(session: Session, folder: Path) -> None:
    processes = SystemProcesses()
    for process in _started(session, folder):
        processes.stop(process, grace=2)


def _started(session: Session, folder: Path) -> list[Process]:
    """What the story started, from the books of both environments."""
    from ci_lib.targets.process.book import Book

    paths = (f"{folder}/.deploy-actions/hello-{name}/book.json" for name in ("staging", "production"))
    books = [Book.read(session.runner, path) for path in paths]
    return [started.process for book in books for started in book.started.values()]
