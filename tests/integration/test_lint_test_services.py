"""Services beside a gate's job, by the real command line on a real engine: they never outlive their gate."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Require
from tests.integration.gate_project import Project
from tests.integration.shop import START
from tests.lab.components import docker, wait_for
from tests.lab.images import build_hello

# The first message of PostgreSQL's protocol asks for TLS; the server, and nothing else, answers N or S.
TALK = """\
import os, socket, struct
with socket.create_connection((os.environ["DB_HOST"], int(os.environ["DB_PORT_5432"])), 5) as server:
    server.sendall(struct.pack("!ii", 8, 80877103))
    assert server.recv(1) in b"NS"
"""
HEALTH = {
    "test": ["CMD", "pg_isready", "-U", "postgres", "-h", "127.0.0.1"],
    "interval": "0.3s",
    "retries": 50,
}
ENVIRONMENT = {"POSTGRES_PASSWORD": "only-for-tests"}


@pytest.fixture
def gate(engine: None, tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    for name in projects(project):
        docker("compose", "-p", name, "down", "-v", "-t", "0")


def beside(project: Project, name: str, command: list[str], **service: Any) -> None:
    """Give the project one job with one service."""
    (project.folder / "services.yml").write_text(json.dumps({"services": {"db": service}}))
    project.write({"name": name, "command": command, "services": "services.yml", "time_limit": "30s"})


def projects(project: Project) -> set[str]:
    """The Compose projects that the project's gates have started, by what they printed."""
    log = project.folder / "log"
    printed = log.read_text() if log.exists() else ""
    return set(re.findall(r"\bgate-[0-9a-f]{12}-\d+-\d+-[0-9a-f]{12}(?![0-9a-f])", printed))


def left(name: str) -> list[str]:
    """Everything on the engine that bears the name of a Compose project."""
    label = f"label=com.docker.compose.project={name}"
    kinds = (("ps", "-a"), ("network", "ls"), ("volume", "ls"))
    return [line for kind in kinds for line in docker(*kind, "-q", "--filter", label).splitlines()]


def started(project: Project) -> subprocess.Popen[bytes]:
    """The gate, begun, with all that it prints in the project's log."""
    with (project.folder / "log").open("ab") as log:
        return subprocess.Popen([*START, "lint-test"], cwd=project.folder, stdout=log, stderr=log)


def run(project: Project) -> tuple[int, str]:
    """The exit code of the gate and what it printed."""
    process = started(project)
    code = process.wait(60)
    return code, (project.folder / "log").read_text()


def test_a_test_finds_a_real_database_by_the_variables_that_it_gets(
    gate: Project, require: Require, postgres_image: str
) -> None:
    settings = {"image": postgres_image, "environment": ENVIRONMENT, "ports": ["127.0.0.1::5432"]}
    beside(gate, "integration", [sys.executable, "-c", TALK], **settings, healthcheck=HEALTH)
    code, printed = run(gate)
    assert code == 0, printed
    (name,) = projects(gate)
    assert left(name) == []


def test_a_job_that_fails_leaves_no_services(gate: Project) -> None:
    beside(gate, "integration", ["false"], image=build_hello("good", "gate"), volumes=["/data"])
    code, printed = run(gate)
    assert (code, "integration: ended with exit code 1" in printed) == (4, True), printed
    (name,) = projects(gate)
    assert left(name) == []


def test_a_service_that_never_gets_healthy_fails_the_job_with_what_it_said(gate: Project) -> None:
    beside(gate, "integration", ["true"], image=build_hello("unhealthy", "gate"))
    code, printed = run(gate)
    assert code == 4, printed
    assert "did not come up: db is unhealthy" in printed
    assert "hello gate (unhealthy): listens on port 8000" in printed
    (name,) = projects(gate)
    assert left(name) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_gate_that_is_ended_leaves_nothing_for_long(gate: Project, number: signal.Signals) -> None:
    waits = ["sh", "-c", "echo $$ > id; mv id begun; exec sleep 60"]
    beside(gate, "integration", waits, image=build_hello("good", "gate"), volumes=["/data"])
    process = started(gate)
    wait_for((gate.folder / "begun").exists, "the job to begin")
    (name,) = projects(gate)
    process.send_signal(number)
    process.wait(10)
    if number is signal.SIGTERM:
        assert process.returncode == 130
    else:
        assert left(name) != []
        os.kill(int((gate.folder / "begun").read_text()), signal.SIGKILL)
        beside(gate, "integration", ["true"], image=build_hello("good", "gate"))
        code, printed = run(gate)
        assert code == 0, printed
        assert f"the services of {name}, whose gate was killed, were removed" in printed
    assert left(name) == []
