"""A job's shell, and a library on a server that it fetches with a template's script."""

import os
import subprocess
from pathlib import Path

from ci_lib.cli.table import TABLE
from tests.contract.gitlab_files import script
from tests.lab.git import bare, git


class Runner:
    """A job's shell, and a library on a server whose start.sh only says how it was called."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.server = folder / "server"
        (self.server / "acme").mkdir(parents=True)
        self.library = bare(self.server / "acme" / "lib.git")
        git(self.library, "config", "uploadpack.allowAnySHA1InWant", "true")
        (self.source / "actions" / "_setup").mkdir(parents=True)
        git(self.source, "init", "-q", "-b", "main")
        self.sha = self.release('printf "<%s>" "$@"; printf "%s" "$(dirname "$0")" >here\n')
        git(self.source, "commit", "-q", "--allow-empty", "-m", "something newer")
        git(self.source, "push", "-q", str(self.library), "main")
        self.project = folder / "project"
        self.project.mkdir()
        (folder / "tmp").mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "CI_SERVER_URL": f"file://{self.server}",
            "CI_SERVER_PROTOCOL": "http",
            "CI_SERVER_HOST": "127.0.0.1",
            "CI_SERVER_PORT": "80",
            "CI_JOB_TOKEN": "the-token",
            "DEPLOY_ACTIONS_LIBRARY_PROJECT": "acme/lib",
            "DEPLOY_ACTIONS_LIBRARY_REF": "v1.2.3",
        }

    def release(self, start: str) -> str:
        """Make v1.2.3 of a library with this start.sh; return its commit."""
        (self.source / "actions" / "_setup" / "start.sh").write_text(start)
        git(self.source, "add", "-A")
        git(self.source, "commit", "-q", "-m", "a release")
        git(self.source, "tag", "-f", "v1.2.3")
        git(self.source, "push", "-q", "-f", str(self.library), "main", "v1.2.3")
        return git(self.source, "rev-parse", "HEAD")

    def run(self, verb: str, shell: str = "bash", **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script of a verb's template."""
        argv = [shell, "-c", script(TABLE[verb])]
        return subprocess.run(
            argv, cwd=self.project, env=self.env | env, capture_output=True, text=True, timeout=30
        )
