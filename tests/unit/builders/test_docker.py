"""How a build is run, and what is made of its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from ci_lib.builders.docker import DockerBuilder, has_buildx
from ci_lib.domain.build import Order
from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran, Watched
from tests.fakes import FakeClock, FakeHost

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
BUILDX = Order(
    name="api",
    repository="r.example/api",
    version="v1",
    tags=("main",),
    context="/src",
    dockerfile="/src/Dockerfile",
    env={"DEPLOY_VERSION": "v1"},
    limit=60.0,
)
CLASSIC = replace(BUILDX, buildx=False)
METADATA = f'{{"containerimage.digest": "{DIGEST}"}}'.encode()


@dataclass
class Engine:
    """Commands print `prints` of their third word, take `takes` seconds each, and end with `code`."""

    prints: dict[str, list[str]] = field(default_factory=dict)
    code: int = 0
    timed_out: bool = False
    takes: float = 0.0
    metadata: bytes | None = METADATA
    clock: FakeClock = field(default_factory=FakeClock)
    calls: list[tuple[tuple[str, ...], float, Mapping[str, str]]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        told: Callable[[str], None],
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        capture: bool = False,
    ) -> Watched:
        self.calls.append((tuple(argv), timeout, dict(env or {})))
        self.clock.sleep(self.takes)
        for line in self.prints.get(argv[1], []):
            told(line)
        return Watched(code=self.code, timed_out=self.timed_out)

    def stop(self) -> None:
        raise AssertionError("nobody stops it")

    def make(self, order: Order) -> str:
        files = {} if self.metadata is None else {"/room/api.json": self.metadata}
        builder = DockerBuilder(
            host=FakeHost(files=files), live=self, clock=self.clock, room="/room", env={"DOCKER_CONFIG": "/c"}
        )
        return builder(order, self.told.append)

    def fault(self, order: Order) -> DeployError:
        with pytest.raises(DeployError) as caught:
            self.make(order)
        assert caught.value.reason is Reason.BUILD
        return caught.value


def test_buildx_builds_and_pushes_at_once_and_says_what_in_its_metadata() -> None:
    engine = Engine(prints={"buildx": ["#1 DONE"]})
    assert engine.make(BUILDX) == DIGEST
    ((argv, timeout, env),) = engine.calls
    assert (argv[:4], timeout) == (("docker", "buildx", "build", "--progress=plain"), 60.0)
    assert env == {"DOCKER_CONFIG": "/c", "DEPLOY_VERSION": "v1", "DOCKER_BUILDKIT": "1"}
    assert engine.told == ["#1 DONE"]


def test_the_classic_builder_pushes_every_name_the_version_last_within_one_limit() -> None:
    pushed = [f"main: digest: {OTHER} size: 1", f"v1: digest: {DIGEST} size: 524"]
    engine = Engine(prints={"push": pushed}, takes=10.0)
    assert engine.make(CLASSIC) == DIGEST
    assert [(argv[1], argv[-1], timeout) for argv, timeout, _ in engine.calls] == [
        ("build", "/src", 60.0),
        ("push", "r.example/api:main", 50.0),
        ("push", "r.example/api:v1", 40.0),
    ]
    assert {env["DOCKER_BUILDKIT"] for _, _, env in engine.calls} == {"0"}


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            ["Step 1", "The command '/bin/false' returned a non-zero code: 1", ""],
            "returned a non-zero code: 1",
        ),
        (
            ["#5 ERROR: x", "ERROR: failed to solve: exit code: 1", "View details"],
            "failed to solve: exit code: 1",
        ),
        ([], "exit code 1"),
    ],
)
def test_a_failure_is_told_by_the_last_error_else_the_last_line(lines: list[str], cause: str) -> None:
    fault = Engine(prints={"buildx": lines}, code=1).fault(BUILDX)
    assert fault.message.startswith("api could not be built: ")
    assert fault.message.endswith(cause)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("write /x: no space left on device", "the disk is full"),
        ("denied: permission_denied: write_package", "may this login push there?"),
        ("ERROR: Multi-platform build is not supported for the docker driver.", "docker buildx create"),
        ("ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "start Docker"),
        ("ERROR: it is raining", "see the builder's output above"),
    ],
)
def test_a_failure_that_is_known_has_its_way_out(line: str, hint: str) -> None:
    assert hint in Engine(prints={"buildx": [line]}, code=1).fault(BUILDX).hint


def test_what_takes_too_long_is_told_with_the_limit() -> None:
    fault = Engine(code=124, timed_out=True).fault(CLASSIC)
    assert fault.message == "api was not built within 60 s"
    assert "`limits: build`" in fault.hint


@pytest.mark.parametrize("metadata", [None, b"", b"[]", b"{}", b'{"containerimage.digest": "latest"}'])
def test_a_builder_that_does_not_say_what_it_pushed_is_not_believed(metadata: bytes | None) -> None:
    assert "does not say which digest" in Engine(metadata=metadata).fault(BUILDX).message
    assert "does not say which digest" in Engine(prints={"push": ["v1: done"]}).fault(CLASSIC).message


def test_buildx_is_looked_for_and_a_missing_docker_is_told() -> None:
    buildx, docker = ("docker", "buildx"), ("docker", "version")
    gone = Ran(code=127, stderr="docker: command not found")
    assert has_buildx(FakeHost(commands={buildx: Ran(code=0)}))
    assert not has_buildx(FakeHost(commands={buildx: Ran(code=1), docker: Ran(code=0)}))
    with pytest.raises(
        DeployError, match="Docker does not answer on this machine: docker: command not found"
    ):
        has_buildx(FakeHost(commands={buildx: gone, docker: gone}))
