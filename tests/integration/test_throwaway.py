"""Throw-away services on a real engine: they come up, or say why not, and never stay."""

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.ports.live import LiveRunner
from ci_lib.ports.local import LocalHost
from ci_lib.ports.system import SystemClock
from ci_lib.targets.compose.throwaway import services
from tests.integration.conftest import Require
from tests.lab.components import docker, wait_for
from tests.lab.images import Behaviour, build_hello


@dataclass
class Beside:
    """A Compose file beside a job, and its project."""

    folder: Path
    project: str
    live: LiveRunner = field(default_factory=LiveRunner)
    clock: SystemClock = field(default_factory=SystemClock)
    told: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "services.yml"

    def start(self, limit: float = 20, **given: Any) -> AbstractContextManager[Mapping[str, str]]:
        """The services with these settings; JSON is YAML."""
        volumes = {"data": {}, "shared": {"name": f"{self.project}-shared"}}
        self.file.write_text(json.dumps({"services": given, "volumes": volumes}))
        return services(
            LocalHost("here"),
            str(self.file),
            project=self.project,
            limit=limit,
            clock=self.clock,
            live=self.live,
            told=self.told.append,
        )

    def left(self) -> list[str]:
        """Everything on the engine that bears the project's name."""
        label = f"label=com.docker.compose.project={self.project}"
        kinds = (("ps", "-a"), ("network", "ls"), ("volume", "ls"), ("image", "ls"))
        return [line for kind in kinds for line in docker(*kind, "-q", "--filter", label).splitlines()]


class UntilHealthy(SystemClock):
    """A clock whose pauses last until this container is healthy, and whose time is up then."""

    def __init__(self, container: str) -> None:
        self._health = ("inspect", "--format", "{{.State.Health.Status}}", container)
        self._ahead = 0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        wait_for(lambda: docker(*self._health).strip() == "healthy", "the health of the container")
        self._ahead = 60


@pytest.fixture
def beside(require: Require, tmp_path: Path, project: str) -> Iterator[Beside]:
    require("busybox-static", None if shutil.which("busybox") else "busybox is not installed")
    found = Beside(tmp_path, project)
    yield found
    assert found.left() == []


def hello(behaviour: Behaviour, **more: Any) -> dict[str, Any]:
    return {"image": build_hello(behaviour, "beside"), **more}


def test_services_are_up_and_reachable_in_the_block_and_leave_nothing_behind(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "/the/job's/own.yml")
    image = hello("nohealth")["image"]
    (beside.folder / "Dockerfile").write_text(f"FROM {image}\nLABEL built=here\n")
    started = beside.start(
        **{"my-db": hello("good", ports=["8000"], volumes=["data:/data", "/without-a-name"])},
        once=hello("once", depends_on={"my-db": {"condition": "service_healthy"}}),
        quiet={"build": "."},
    )
    with started as variables:
        # By name: other tests have volumes on the same engine, which come and go meanwhile.
        mounts = "{{range .Mounts}}{{.Name}} {{end}}"
        volumes = set(docker("inspect", "--format", mounts, f"{beside.project}-my-db-1").split())
        assert len(volumes) == 2
        assert variables["MY_DB_HOST"] == "127.0.0.1"
        assert list(variables) == ["MY_DB_HOST", "MY_DB_PORT_8000"]
        url = f"http://127.0.0.1:{variables['MY_DB_PORT_8000']}/version.txt"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"beside\n"
        beside.file.unlink()  # what runs is known to the engine, not by the file
    assert not volumes & set(docker("volume", "ls", "-q").split())
    assert any("Started" in line for line in beside.told)


def test_a_service_that_ends_is_named_with_what_it_said(beside: Beside) -> None:
    with pytest.raises(StepFault) as fault, beside.start(app=hello("crashloop")):
        pytest.fail("the block must not begin")
    assert "did not come up: app ended with exit code 1" in str(fault.value)
    assert "hello beside (crashloop): cannot start" in str(fault.value)


def test_a_service_that_others_wait_for_in_vain_is_named_with_what_it_said(beside: Beside) -> None:
    healthy = {"db": {"condition": "service_healthy"}}
    with (
        pytest.raises(StepFault) as fault,
        beside.start(db=hello("unhealthy"), app=hello("good", depends_on=healthy)),
    ):
        pytest.fail("the block must not begin")
    assert "db (unhealthy):\nhello beside (unhealthy): listens on port 8000" in str(fault.value)
    assert "app (" not in str(fault.value)


def test_a_service_that_takes_too_long_is_named_with_what_it_said(beside: Beside) -> None:
    beside.clock = UntilHealthy(f"{beside.project}-app-1")
    never = hello("unhealthy", healthcheck={"start_period": "60s"})
    with pytest.raises(StepFault) as fault, beside.start(db=never, app=hello("good")):
        pytest.fail("the block must not begin")
    assert "not all of them within 20 s\ndb (starting):\nhello beside (unhealthy)" in str(fault.value)
    assert "app (" not in str(fault.value)


def test_a_file_that_compose_does_not_understand_is_a_fault(beside: Beside) -> None:
    with pytest.raises(StepFault, match=r"did not come up: .*nonsense"), beside.start(nonsense={"x": 1}):
        pytest.fail("the block must not begin")


def test_what_fails_in_the_block_passes_through_and_what_others_made_stays(beside: Beside) -> None:
    foreign = f"{beside.project}-shared"
    docker("volume", "create", foreign)
    try:
        with pytest.raises(Cancelled), beside.start(db=hello("nohealth", volumes=["shared:/data"])):
            raise Cancelled("SIGTERM")
        assert foreign in docker("volume", "ls", "-q").split()
    finally:
        docker("volume", "rm", foreign)


def test_a_stop_while_the_services_start_ends_the_wait_and_leaves_nothing_behind(beside: Beside) -> None:
    def enter() -> None:
        with beside.start(db=hello("slow")):
            pytest.fail("the block must not begin")

    with ThreadPoolExecutor(1) as pool:
        entered = pool.submit(enter)
        wait_for(lambda: any("Started" in line for line in beside.told), "the start of the container")
        began = time.monotonic()
        beside.live.stop()
        with pytest.raises(Cancelled):
            entered.result(10)
    assert time.monotonic() - began < 5
