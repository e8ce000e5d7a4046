"""A caller's project whose pipeline runs under real gitlab-ci-local, which needs neither a server nor Docker.
Jobs in containers: `gitlab_containers.py`.

The library is a repository of its own, served from a folder in place of the server's address. What the tool
does differently from GitLab is worked around here: it hands its own environment on to jobs, says that this is
no GitLab, does not take an empty list of tags, which GitLab does, and misnames the project's folder.
"""

import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path

from ci_lib.version import VERSION
from tests.integration.act_support import ACTED
from tests.lab.components import run
from tests.lab.git import CLEAN, bare, git

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "tests" / "lab" / "node" / "node_modules"
SERVER = "http://gitlab.example:8929"
LIBRARY = f"{SERVER}/org/deploy-actions.git"


def missing() -> str | None:
    """None, or the reason why gitlab-ci-local cannot be used."""
    if not (MODULES / ".bin" / "gitlab-ci-local").exists() or not _node():
        return "the Node packages are not installed"
    return None if shutil.which("rsync") else "rsync is not installed"


def _node() -> Path | None:
    """The folder of the Node that the tool needs: Debian's is too old."""
    return next(iter(MODULES.glob("node-linux-*/bin")), None)


def library(folder: Path) -> tuple[Path, str]:
    """This repository as a release on a server, and the release's commit."""
    source = folder / "library"
    source.mkdir()
    run("cp", "-r", *ACTED, "templates", source, directory=ROOT)
    for compiled in [*source.rglob("__pycache__")]:
        shutil.rmtree(compiled)
    git(source, "init", "--quiet", "-b", "main")
    git(source, "add", "--all", "--force")
    git(source, "commit", "--quiet", "-m", "a release")
    git(source, "tag", f"v{VERSION}")
    served = bare(folder / "deploy-actions.git")
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(served, "config", f"uploadpack.{name}", "true")
    git(source, "push", "--quiet", str(served), "main", f"v{VERSION}")
    return served, git(source, "rev-parse", "HEAD")


def with_plugins(home: Path) -> None:
    """Let jobs whose home is this folder find Docker's plugins: Compose may lie in our own home."""
    plugins = Path.home() / ".docker/cli-plugins"
    if plugins.is_dir():
        (home / ".docker").mkdir()
        (home / ".docker/cli-plugins").symlink_to(plugins)


@dataclass(frozen=True)
class Ran:
    """A pipeline that has ended."""

    code: int
    text: str
    folder: Path

    def outputs(self, job: str) -> dict[str, str]:
        """What a job handed on."""
        lines = self.kept(job, "outputs.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def kept(self, job: str, name: str) -> Path:
        """A file of a job's artifacts."""
        return self.folder / ".gitlab-ci-local" / "artifacts" / _safe(job) / "deploy-actions" / name


def _safe(job: str) -> str:
    """A job's name as the tool's folders have it: what is no letter, digit, `_` or `-` is in Base64."""
    return re.sub(r"[^\w-]+", lambda found: urlsafe_b64encode(found[0].encode()).decode().rstrip("="), job)


@dataclass
class Caller:
    """A project on that server; `tools` is what its runner keeps between jobs.

    `variables` beat all others, as those do that a pipeline is started with; all others beat `predefined`, as
    they do what GitLab gives to every job.
    """

    folder: Path
    served: Path
    tools: Path
    variables: dict[str, str] = field(default_factory=dict)
    predefined: dict[str, str] = field(default_factory=dict)

    def commit(self, pipeline: str) -> None:
        """Write `.gitlab-ci.yml` and commit everything: the tool sees committed files alone."""
        (self.folder / ".gitlab-ci.yml").write_text(pipeline)
        (self.folder / ".gitignore").write_text(".gitlab-ci-local/\n")
        if not (self.folder / ".git").exists():
            git(self.folder, "init", "--quiet", "-b", "main")
            git(self.folder, "remote", "add", "origin", f"{SERVER}/acme/shop.git")
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "-m", "a change")

    def call(self, *words: str, **variables: str) -> Ran:
        """Run the pipeline, or the jobs that ``words`` name, to its end."""
        given = {
            "GITLAB_CI": "true",
            "CI_JOB_TOKEN": "a-token",
            **self._found,
            **self.variables,
            **variables,
        }
        options = [f"--variable={name}={value}" for name, value in given.items()]
        done = subprocess.run(
            [
                *(str(MODULES / ".bin" / "gitlab-ci-local"), "--no-artifacts-to-source"),
                "--ignore-schema-paths=#/definitions/tags/minItems",
                *(*self._executor, *options, *words),
            ],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        return Ran(code=done.returncode, text=done.stdout, folder=self.folder)

    @property
    def _executor(self) -> tuple[str, ...]:
        """How jobs are run: as processes of this machine, whatever their image."""
        return "--shell-isolation", "--force-shell-executor"

    @property
    def _found(self) -> dict[str, str]:
        """What a job finds set because of where it runs."""
        return {"XDG_CACHE_HOME": str(self.tools), "BASH_ENV": str(self._place)}

    @property
    def _place(self) -> Path:
        """What each shell reads first: for a job with an image the tool names a folder of its container."""
        path = self.folder.parent / "place.sh"
        path.write_text('case $PWD in */.gitlab-ci-local/builds/*) export CI_PROJECT_DIR=$PWD ;; esac\n')
        return path

    @property
    def _env(self) -> dict[str, str]:
        """Nothing of this machine's, but for what finds the programs and the served folder."""
        path = f"{_node()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            **CLEAN,
            **self.predefined,
            "PATH": path,
            "HOME": str(self.folder.parent),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.served}.insteadOf",
            "GIT_CONFIG_VALUE_0": LIBRARY,
        }
