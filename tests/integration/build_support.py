"""A git repository with a deploy.yml that says how its image is built, and the real command line on it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.shop import START, Called
from tests.lab.components import docker, run
from tests.lab.images import buildx_plugin

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY words /words
ARG DEPLOY_VERSION
ENV HELLO_VERSION=$DEPLOY_VERSION
"""
HANGS = DOCKERFILE + 'RUN ["/bin/busybox", "sleep", "300"]\n'
FAILS = DOCKERFILE + 'RUN ["/bin/busybox", "false"]\n'


@dataclass
class Repository:
    """`builder` is classic or buildx; `build` is added to `build:` of the image, `stack` to the stack."""

    folder: Path
    address: str
    builder: str = "classic"
    build: dict[str, Any] = field(default_factory=dict)
    stack: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        app = self.folder / "app"
        app.mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), app / "busybox")
        (app / "Dockerfile").write_text(DOCKERFILE)
        (app / "words").write_text("first\n")
        run("git", "init", "-q", "-b", "main", directory=self.folder)
        url = "https://someone:a-token@git.example/acme/shop.git"
        run("git", "remote", "add", "origin", url, directory=self.folder)
        self.docker = self.folder.parent / "docker"
        (self.docker / "cli-plugins").mkdir(parents=True)
        plugin = buildx_plugin()
        if plugin is not None and self.builder == "buildx":
            (self.docker / "cli-plugins" / "docker-buildx").symlink_to(plugin)
        self.temp = self.folder.parent / "temp"
        self.temp.mkdir()

    @property
    def repository(self) -> str:
        return f"{self.address}/acme/{self.folder.parent.name}"

    def write(self) -> None:
        """Write deploy.yml."""
        build = {"context": "app", "builder": self.builder, "args_env": ["DEPLOY_VERSION"]} | self.build
        image = {"repository": self.repository, "services": ["web"], "build": build}
        config = {
            "version": 1,
            "records": {"path": "/nonexistent"},
            "hosts": {"here": {"local": True}},
            "environments": {"staging": {"tier": "staging", "owner": "team", "hosts": ["here"]}},
            "stacks": {"shop": {"target": "compose", "images": {"web": image}} | self.stack},
        }
        (self.folder / "deploy.yml").write_text(json.dumps(config, indent=1))

    def commit(self, **files: str) -> str:
        """Write files below app/ and deploy.yml, commit everything, and return the commit's id."""
        for name, text in files.items():
            (self.folder / "app" / name).write_text(text)
        self.write()
        user = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
        run("git", "add", "-A", directory=self.folder)
        run("git", *user, "commit", "-q", "--allow-empty", "-m", "a change", directory=self.folder)
        return run("git", "rev-parse", "HEAD", directory=self.folder).strip()

    def call(self, *words: str, limit: float = 60, folder: Path | None = None, **env: str) -> Called:
        """Build, and read the JSON."""
        with self.started(*words, folder=folder, **env) as process:
            out, err = process.communicate(timeout=limit)
        return Called(process.returncode, out, err)

    @contextmanager
    def started(self, *words: str, folder: Path | None = None, **env: str) -> Iterator[subprocess.Popen[str]]:
        """A build that is not waited for."""
        given = {"RUNNER_TEMP": str(self.temp), "DOCKER_CONFIG": str(self.docker)}
        with subprocess.Popen(
            [*START, "build", "--json", *words],
            cwd=folder or self.folder,
            env={**os.environ, **given, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def left(self) -> list[str]:
        """What lies in the temporary folder beside the evidence."""
        return [path.name for path in self.temp.iterdir() if not path.name.startswith("evidence-")]

    def evidence(self) -> str:
        """All evidence as one text."""
        return "\n".join(path.read_text() for path in self.temp.rglob("evidence-*/**/*") if path.is_file())

    def inspect(self, reference: str) -> dict[str, Any]:
        """The configuration of an image that is pulled for it."""
        docker("pull", reference)
        found: dict[str, Any] = json.loads(docker("image", "inspect", reference))[0]
        return found

    def says(self, reference: str) -> str:
        """The words in an image."""
        return docker("run", "--rm", reference, "/bin/busybox", "cat", "/words").strip()
