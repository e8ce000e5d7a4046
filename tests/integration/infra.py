"""A shared database server as people have one, in a Compose project that they brought up themselves."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.shop import START, Called
from tests.lab.components import compose, docker, run

NASTY = "it's \"a\\ \t ünï$HOME `x` 😀 ﬁ%s;--"
"""Quotes, a backslash, a tab, a shell's and SQL's favourites, and letters that SASLprep maps or prohibits."""


@dataclass
class Infra:
    """The stack `infra` in one temporary folder; its server runs when the object is made."""

    folder: Path
    project: str
    image: str
    server: dict[str, Any]
    """An entry of `provision:`; its service is `db`."""
    service: dict[str, Any]
    """The Compose service `db`."""
    stack: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=lambda: {"local": True})
    secrets: dict[str, str] = field(
        default_factory=lambda: {"LARK_DB_PASSWORD": NASTY, "AUTH_DB_PASSWORD": "auth-of-the-neighbour"}
    )

    def __post_init__(self) -> None:
        self.run_dir = self.folder / "run"
        self.run_dir.mkdir()
        self.write()
        service = {"image": self.image, **self.service}
        (self.run_dir / "docker-compose.yml").write_text(json.dumps({"services": {"db": service}}))
        compose(self.project, self.run_dir, "up", "--detach", "--wait")

    def write(self, **server: Any) -> None:
        """Write deploy.yml; `server` replaces keys of the server's entry."""
        stack = {
            "target": "compose",
            "compose": {"run_dir": str(self.run_dir), "project": self.project},
            "images": {"db": {"repository": "acme/db", "services": ["db"]}},
            "provision": [self.server | server],
            "checks": [{"name": "neighbours", "type": "isolation", "tries": 1}],
        }
        config = {
            "version": 1,
            "records": {"path": "records"},
            "hosts": {"here": self.host},
            "environments": {"production": {"tier": "production", "owner": "ops", "hosts": ["here"]}},
            "stacks": {"infra": stack | self.stack},
        }
        (self.folder / "deploy.yml").write_text(json.dumps(config))

    @property
    def container(self) -> str:
        return docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").strip()

    @property
    def address(self) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", form, self.container).strip()

    def argv(self, *words: str) -> list[str]:
        place = ("--environment", "production", "--config", str(self.folder / "deploy.yml"), "--json")
        return [*START, *words, *place]

    def environ(self, secrets: Mapping[str, str] | None = None) -> dict[str, str]:
        given = self.secrets if secrets is None else secrets
        return {**os.environ, "RUNNER_TEMP": str(self.folder / "evidence"), **given}

    def call(self, *words: str, secrets: Mapping[str, str] | None = None) -> Called:
        done = subprocess.run(
            self.argv(*words), capture_output=True, text=True, timeout=120, env=self.environ(secrets)
        )
        return Called(done.returncode, done.stdout, done.stderr)

    def provision(self) -> Called:
        return self.call("database", "provision")

    def verify(self, secrets: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Exit code of post-verify, and what the isolation check saw."""
        done = self.call("post-verify", secrets=secrets)
        return done.code, done.result["checks"][0]["value"]

    def inside(self, *argv: str) -> str:
        return docker("exec", self.container, *argv)

    def written(self) -> str:
        """Everything that our runs left behind: records, evidence, state."""
        folders = (self.folder / name for name in ("records", "evidence", "run/.deploy-actions"))
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return "\n".join(path.read_text("utf-8") for path in files)

    def server_log(self) -> str:
        return run("sh", "-c", 'docker logs "$1" 2>&1', "sh", self.container)


def rows(called: Called) -> list[str]:
    """The line of each database, and those of the server, without the name of the service."""
    notes: list[str] = called.result["notes"]
    return [note.removeprefix("db/").removeprefix("db: ") for note in notes]
