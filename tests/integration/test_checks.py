"""Checks against real containers, from the runner, from a host behind SSH and from inside."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from ci_lib.checks.run import run_check
from ci_lib.checks.site import Site
from ci_lib.config.checks import Check
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.ports.local import LocalHost
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.protocols import Host, Ran, Unreachable
from ci_lib.ports.system import SystemClock
from tests.fakes import FakeReporter
from tests.integration.ports_support import ssh_host
from tests.lab.components import HOST, Sshd, docker, free_port, wait_for
from tests.lab.images import build_hello

CHECK: TypeAdapter[Check] = TypeAdapter(Check)
HERE = LocalHost("here")


@dataclass(frozen=True, kw_only=True)
class LabContainers:
    """The containers of one project, found by name."""

    project: str

    def address(self, service: str) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        found = docker("inspect", "--format", form, f"{self.project}-{service}-1").split()
        if not found:
            raise Unreachable(f"no container of {service} runs")
        return found[0]

    def exec(self, service: str, argv: tuple[str, ...], *, timeout: float) -> Ran:
        return HERE.run(["docker", "exec", f"{self.project}-{service}-1", *argv], timeout=timeout)


def start(project: str, service: str, image: str, *args: str) -> str:
    name = f"{project}-{service}-1"
    label = f"com.docker.compose.project={project}"
    docker("run", "--detach", "--label", label, "--name", name, *args, image)
    return name


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where checks look from in these tests."""

    host: Host
    project: str
    folder: Path

    def check(self, **check: object) -> CheckResult:
        settings = {"name": "it", "tries": 1, "timeout": "5s"} | check
        if "start" in settings:
            settings["from"] = settings.pop("start")
        site = Site(
            host=self.host,
            net=RequestsNet({}),
            clock=SystemClock(),
            observe=tuple,
            containers=LabContainers(project=self.project),
            folder=str(self.folder),
            run_dir=str(self.folder),
            runner=HERE,
            reporter=FakeReporter(),
            secret=str,
        )
        return run_check(CHECK.validate_python(settings), site, {"DEPLOY_VERSION": "sha-1"})


@pytest.fixture(params=["local", "ssh"])
def place(request: pytest.FixtureRequest, project: str, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        yield Place(host=HERE, project=project, folder=tmp_path)
        return
    sshd: Sshd = request.getfixturevalue("sshd")
    with ssh_host(sshd) as host:
        yield Place(host=host, project=project, folder=tmp_path)


@pytest.fixture
def hello(place: Place) -> int:
    """The application as service `api`; its port on the host."""
    port = free_port()
    start(place.project, "api", build_hello("good", "sha-1"), "--publish", f"{HOST}:{port}:8000")
    wait_for(lambda: place.check(type="http", url=f"http://{HOST}:{port}/ready").mark is Mark.PASSED, "ready")
    return port


def test_http_from_everywhere(place: Place, hello: int) -> None:
    ready = {"type": "http", "json_field": "status", "equals": "ok"}
    for check in (
        ready | {"start": "runner", "url": f"http://{HOST}:{hello}/ready"},
        ready | {"start": "host", "url": f"http://{HOST}:{hello}/ready"},
        ready | {"start": "container", "service": "api", "url": "http://api.example:8000/ready"},
    ):
        result = place.check(**check)
        assert (result.mark, result.value) == (Mark.PASSED, "200 OK, status = ok"), check


def test_http_that_answers_otherwise(place: Place, hello: int) -> None:
    missing = place.check(type="http", start="host", url=f"http://{HOST}:{hello}/none")
    assert (missing.mark, missing.value) == (Mark.FAILED, "404 Not Found")
    other = place.check(type="http", start="host", url=f"http://{HOST}:{hello}/version.txt", contains="sha-2")
    assert (other.mark, other.value) == (Mark.FAILED, "200 OK, body lacks 'sha-2'")


@pytest.mark.parametrize("start_from", ["runner", "host"])
def test_nobody_listens(place: Place, start_from: str) -> None:
    port = free_port()
    for check in (
        {"type": "tcp", "port": port},
        {"type": "http", "url": f"http://{HOST}:{port}/"},
        {"type": "postgres", "port": port},
        {"type": "mysql", "port": port},
    ):
        result = place.check(start=start_from, **check)
        assert result.mark is Mark.FAILED, check
        assert result.value, check


def test_tcp_from_everywhere(place: Place, hello: int) -> None:
    for check in (
        {"start": "runner", "port": hello},
        {"start": "host", "port": hello},
        {"start": "container", "service": "api", "port": 8000},
    ):
        assert place.check(type="tcp", **check).value == "accepted", check
    closed = place.check(type="tcp", start="container", service="api", port=8001)
    assert (closed.mark, "refused" in closed.value) == (Mark.FAILED, True)


@pytest.mark.parametrize("start_from", ["runner", "host"])
def test_a_server_that_is_stuck_times_out(place: Place, start_from: str) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((HOST, 0))
        server.listen(0)
        for _ in range(3):  # nobody accepts them: once the queue is full, Linux drops what comes
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(server.getsockname())
        port = server.getsockname()[1]
        result = place.check(type="tcp", start=start_from, port=port, timeout="1s")
    assert (result.mark, result.value.endswith("within 1 s")) == (Mark.FAILED, True), result


def test_commands_in_a_container(place: Place, hello: int) -> None:
    good = place.check(type="command", service="api", command=["cat", "/www/version.txt"])
    assert (good.mark, good.value) == (Mark.PASSED, "exit 0")
    bad = place.check(type="command", service="api", command=["cat", "/none"])
    assert bad.mark is Mark.FAILED
    assert bad.value == "exit 1: cat: can't open '/none': No such file or directory"
    assert place.check(type="command", service="web", command=["true"]).mark is Mark.FAILED


@pytest.mark.parametrize("start_from", ["runner", "host"])
def test_scripts_get_the_facts(place: Place, start_from: str) -> None:
    script = place.folder / "smoke.sh"
    script.write_text('#!/bin/sh\necho "$DEPLOY_VERSION in $PWD" >&2\n[ "$DEPLOY_VERSION" = "$1" ]\n')
    script.chmod(0o755)
    assert place.check(type="script", start=start_from, command=["./smoke.sh", "sha-1"]).mark is Mark.PASSED
    bad = place.check(type="script", start=start_from, command=["./smoke.sh", "sha-2"])
    assert (bad.mark, bad.value) == (Mark.FAILED, f"exit 1: sha-1 in {place.folder}")


def test_postgres_from_everywhere_and_while_it_recovers(place: Place, postgres_image: str) -> None:
    port = free_port()
    name = start(
        place.project,
        "db",
        postgres_image,
        *("--env", "POSTGRES_PASSWORD=x", "--publish", f"{HOST}:{port}:5432"),
    )
    everywhere: tuple[dict[str, object], ...] = (
        {"start": "runner", "port": port},
        {"start": "host", "port": port},
        {"start": "container", "service": "db"},
    )
    first = place.check(type="postgres", **everywhere[0], tries=60, delay="0.5s")
    assert (first.mark, first.value) == (Mark.PASSED, "takes clients")
    for check in everywhere:
        assert place.check(type="postgres", **check).value == "takes clients", check
        wrong = place.check(type="mysql", **check | {"timeout": "2s"})
        assert wrong.mark is Mark.FAILED, (check, wrong)

    # A standby that takes no clients answers as a server that is still starting does.
    docker("exec", name, "sh", "-c", "touch $PGDATA/standby.signal")
    docker("exec", name, "sh", "-c", "echo hot_standby=off >>$PGDATA/postgresql.auto.conf")
    docker("restart", name)
    ask = everywhere[0]
    wait_for(lambda: "(57P03)" in place.check(type="postgres", **ask).value, "the answer of a standby")
    for check in everywhere:
        result = place.check(type="postgres", **check)
        assert result.mark is Mark.FAILED, (check, result)
        assert "recovering" in result.value or "rejecting connections" in result.value, result
