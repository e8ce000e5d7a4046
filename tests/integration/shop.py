"""A Compose stack like the ones people have, deployed by the real command line.

`api` runs two services (backend, worker), `web` one (nginx); `init` is a one-shot service, not managed.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.components import run as lab_run
from tests.lab.images import Hello

ROOT = Path(__file__).resolve().parents[2]
START = [sys.executable, "-I", str(ROOT / "actions" / "_setup" / "run.py")]


@dataclass(frozen=True)
class Called:
    """One call of the command line with `--json`."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def status(self) -> str:
        return self.result["status"]

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


@dataclass
class Shop:
    """The project folder, and everything around it in one temporary folder."""

    folder: Path
    project: str
    hello: Hello
    host: dict[str, Any] = field(default_factory=lambda: {"local": True})
    env: dict[str, str] = field(default_factory=dict)
    stack: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, Any] = field(default_factory=dict)
    staging: dict[str, Any] = field(default_factory=dict)
    small: bool = False
    """One service without a health check, and no checks: for tests that deploy many times."""

    def __post_init__(self) -> None:
        self.once = self.hello.push("acme/init", tag="1", behaviour="once")
        self.write()

    @property
    def records(self) -> Path:
        return self.folder / "srv" / "releases"

    def run_dir(self, environment: str) -> Path:
        return self.folder / "srv" / "stacks" / f"shop-{environment}"

    def write(self) -> None:
        """Write deploy.yml and the stack's source."""
        source = self.folder / "stacks" / "shop"
        source.mkdir(parents=True, exist_ok=True)
        (source / "docker-compose.yml").write_text(json.dumps(self.compose()))
        (self.folder / "deploy.yml").write_text(json.dumps(self.config(), indent=1))

    def compose(self) -> dict[str, Any]:
        """The Compose file."""
        return {"services": self.compose_services(), "volumes": self.volumes}

    def compose_services(self) -> dict[str, Any]:
        limits = {"cpus": "0.5", "mem_limit": "64m"}
        api = {"image": f"{self.hello.reference('acme/api')}:source", **limits}
        web = {"image": f"{self.hello.reference('acme/web')}:source", **limits}
        init = {"image": f"{self.hello.reference('acme/init')}:1"}
        if self.small:
            return {"nginx": web} | self.services
        return {"backend": api, "worker": dict(api), "nginx": web, "init": init} | self.services

    def config(self) -> dict[str, Any]:
        srv = str(self.folder / "srv")
        ready = {
            "name": "ready",
            "type": "http",
            "from": "container",
            "service": "backend",
            "url": "http://backend:8000/ready",
            "json_field": "status",
            "equals": "ok",
        }
        return {
            "version": 1,
            "records": {"store": "directory", "host": "web1", "path": f"{srv}/releases"},
            "hosts": {"web1": self.host},
            "environments": {
                "staging": {"tier": "staging", "owner": "team-shop", "hosts": ["web1"]} | self.staging,
                "production": {
                    "tier": "production",
                    "owner": "operations",
                    "hosts": ["web1"],
                    "requires": {"environment": "staging"},
                },
            },
            "stacks": {
                "shop": self.settings(srv, ready) | self.stack,
            },
        }

    def settings(self, srv: str, ready: dict[str, Any]) -> dict[str, Any]:
        """The stack itself."""
        web = {"web": {"repository": self.hello.reference("acme/web"), "services": ["nginx"]}}
        api = {"api": {"repository": self.hello.reference("acme/api"), "services": ["backend", "worker"]}}
        return {
            "target": "compose",
            "compose": {
                "source": "stacks/shop",
                "run_dir": srv + "/stacks/shop-{environment}",
                "project": self.project + "-{environment}",
                "one_shot": ["init"],
                "settle": "0s" if self.small else "1s",
            },
            "images": web if self.small else api | web,
            "checks": [] if self.small else [{"name": "containers", "type": "health"}, ready],
            "preflight": {"disk_free": "1%"},
            "limits": {"serving": "20s"},
            "environments": {"production": {"history_name": "shop-prod", "history_env": "prod"}},
        }

    def release(self, tag: str, behaviour: str = "good") -> None:
        """Push the images under one tag."""
        if not self.small:
            self.hello.push("acme/api", tag=tag, behaviour=behaviour)
        web = "nohealth" if self.small else "good"
        self.hello.push("acme/web", tag=tag, behaviour=web, version=f"web-{tag}")

    def argv(self, *words: str) -> list[str]:
        return [*START, *words, "--config", str(self.folder / "deploy.yml")]

    def environ(self) -> dict[str, str]:
        return {**os.environ, "RUNNER_TEMP": str(self.folder / "evidence"), **self.env}

    def call(self, verb: str, environment: str, *words: str, limit: float = 120) -> Called:
        """Run a verb and read its JSON."""
        argv = self.argv(verb, "--environment", environment, "--json", *words)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, env=self.environ())
        return Called(done.returncode, done.stdout, done.stderr)

    def start(self, verb: str, environment: str, *words: str) -> subprocess.Popen[str]:
        """Start a verb and do not wait for it."""
        argv = self.argv(verb, "--environment", environment, "--json", *words)
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environ()
        )

    def kill(self, process: subprocess.Popen[str]) -> None:
        """As the kernel's OOM killer would; the children stay."""
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def containers(self, environment: str, service: str) -> list[dict[str, Any]]:
        """What the engine says of a service's containers."""
        project = f"label=com.docker.compose.project={self.project}-{environment}"
        name = f"label=com.docker.compose.service={service}"
        ids = lab_run("docker", "ps", "-aq", "--filter", project, "--filter", name).split()
        return json.loads(lab_run("docker", "inspect", *ids)) if ids else []

    def version(self, environment: str, service: str) -> str:
        """What the service itself says it is."""
        container = self.containers(environment, service)[0]["Id"]
        return lab_run("docker", "exec", container, "cat", "/www/version.txt").strip()

    def digests(self, environment: str, service: str) -> set[str]:
        """The reference that every container of a service was made from."""
        return {item["Config"]["Image"] for item in self.containers(environment, service)}

    def history(self) -> list[str]:
        return (self.records / "deploy-history.log").read_text().splitlines()
