"""Somebody who types what a tutorial shows, on this machine instead of the machines that it speaks of."""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.contract.test_docs import fences
from tests.integration.shop import START
from tests.lab import images
from tests.lab.components import free_port
from tests.lab.orders import SYSTEM

ROOT = Path(__file__).resolve().parents[2]
WGET = '[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8000/ready"]'
PYTHON = """[CMD, python3, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready')"]"""
"""The same for an image that has no wget."""


@dataclass(frozen=True)
class Typed:
    """What came of it."""

    code: int
    text: str


@dataclass
class Learner:
    """``folder`` is where the clone lies and the project comes to be; ``given`` are the names they choose."""

    page: Path
    folder: Path
    given: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "deploy-actions").symlink_to(ROOT)

    @property
    def project(self) -> Path:
        return self.folder / "hello"

    def block(self, begins: str) -> str:
        """The one block of commands of the page that begins so, with the learner's names in it."""
        (found,) = (text for text in fences(self.page, "sh") if text.startswith(begins))
        for name, value in self.given.items():
            found = re.sub(rf"^{name}=.*$", f"{name}={value}", found, flags=re.MULTILINE)
        return found

    def yaml(self, begins: str) -> str:
        (found,) = (text for text in fences(self.page, "yaml") if text.startswith(begins))
        return found

    def type(self, begins: str, *, code: int = 0) -> str:
        """Type a block of the page and return what is printed; it must end with that code."""
        typed = self.run(self.block(begins))
        assert typed.code == code, typed.text
        return typed.text

    def run(self, script: str) -> Typed:
        """Commands, in the project where there is one; `deploy-actions` is the alias of the first step."""
        alias = "deploy-actions() { " + " ".join(START) + ' "$@"; }\n'
        done = subprocess.run(
            ["bash", "-euc", alias + script],
            cwd=self.project if self.project.exists() else self.folder,
            env={**os.environ, **self._git(), **self.given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return Typed(done.returncode, done.stdout)

    def move_home(self, project: str, repository: str) -> None:
        """What names a machine, or an image that nobody here can pull, becomes what this machine has."""
        path = self.project / "deploy.yml"
        config: dict[str, Any] = YAML(typ="safe").load(path.read_text())
        config["hosts"] = {name: {"local": True} for name in config["hosts"]}
        config["records"]["path"] = f"{self.folder}/releases"
        stack = config["stacks"]["hello"]
        stack["compose"] |= {
            "run_dir": f"{self.folder}/stacks/{{environment}}",
            "project": f"{project}-{{environment}}",
        }
        stack["images"]["hello"]["repository"] = repository
        stack["images"]["hello"]["build"]["builder"] = "classic"
        path.write_text(json.dumps(config))
        images.push(SYSTEM.base(), f"{repository}:base")  # so that no build sends the large layer again
        self.edit("app/Dockerfile", "python:3.13-alpine", SYSTEM.base())
        self.edit("app/Dockerfile", '"python"', '"python3"')
        self.edit("stacks/hello/docker-compose.yml", WGET, PYTHON)
        self.edit("stacks/hello/docker-compose.yml", "interval: 5s", "interval: 1s")
        for environment in ("staging", "production"):
            self.ports[environment] = free_port()
            run_dir = self.folder / "stacks" / environment
            run_dir.mkdir(parents=True)
            (run_dir / ".env").write_text(f"HELLO_PORT={self.ports[environment]}\n")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.project / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def version(self) -> str:
        return "sha-" + self.run("git rev-parse HEAD").text.strip()

    def serves(self, environment: str) -> str:
        """What the tutorial's `curl` shows."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[environment]}/", timeout=10) as answer:
            return str(json.load(answer)["version"])

    def sees(self, text: str, phrase: str, *versions: str) -> None:
        """The page says that `phrase` will be seen; in `text` it is, with these versions for `sha-…`."""
        assert phrase in self.page.read_text()
        for version in versions:
            phrase = phrase.replace("sha-…", version, 1)
        assert phrase in text

    def _git(self) -> dict[str, str]:
        """A git that has a name, and takes a folder for the forge."""
        settings = {
            "user.name": "A Person",
            "user.email": "person@example.org",
            f"url.{self.folder}/forge/.insteadOf": f"git@{self.given['FORGE']}:",
        }
        pairs = [
            (f"GIT_CONFIG_{kind}_{number}", text)
            for number, setting in enumerate(settings.items())
            for kind, text in zip(("KEY", "VALUE"), setting, strict=True)
        ]
        return {"GIT_CONFIG_COUNT": str(len(settings)), **dict(pairs)}

