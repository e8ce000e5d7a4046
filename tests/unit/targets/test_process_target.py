"""The process target on real folders, with processes that only exist in a list."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.domain.errors import DeployError, StepFault
from ci_lib.domain.images import Image, Reference, Release
from ci_lib.domain.outcome import Mark
from ci_lib.domain.plan import Step, StepKind
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health
from ci_lib.domain.state import unfenced
from ci_lib.domain.target import Wanted
from ci_lib.ports.local import LocalHost
from ci_lib.ports.protocols import Process, Ran
from ci_lib.targets.process.builds import digest_of
from ci_lib.targets.process.target import ProcessTarget
from tests.fakes import FakeClock, Tick, quiet

HEAD = """\
version: 1
records: {store: directory, path: records}
hosts: {here: {local: true}}
environments: {staging: {tier: staging, owner: me, hosts: [here]}}
stacks:
  hello:
    target: process
"""
TEXT = HEAD + """\
    process: {services: {web: {command: [python3, app.py], env: {PORT: "1"}}}}
    images: {hello: {repository: builds/hello, services: [web]}}
"""


@dataclass
class FakeProcesses:
    """Processes that live until they are stopped, or a test lets them `die`; `silent` ones print nothing."""

    silent: bool = False
    started: list[tuple[tuple[str, ...], str, Mapping[str, str]]] = field(default_factory=list)
    living: set[int] = field(default_factory=set)

    @contextmanager
    def starting(
        self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], log: str
    ) -> Iterator[Process]:
        pid = len(self.started) + 1
        self.started.append((tuple(argv), cwd, dict(env)))
        yield Process(pid=pid, started=f"tick {pid}")
        with Path(log).open("a") as file:
            file.write("" if self.silent else f"log of {argv[0]}\n")
        self.living.add(pid)

    def alive(self, process: Process) -> bool:
        return process.pid in self.living

    def stop(self, process: Process, *, grace: float) -> None:
        self.living.discard(process.pid)


class Killed(BaseException):
    """Nobody catches it, as nobody catches kill -9."""


class Folders(LocalHost):
    """This machine's files, and by hand the three commands that the target uses."""

    tick: Tick = staticmethod(quiet)

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        self.tick("before the book")
        super().write(path, data, mode=mode)
        self.tick("after the book")

    def run(self, argv: Sequence[str], **_: Any) -> Ran:
        if argv[0] == "mkdir":
            Path(argv[-1]).mkdir(parents=True, exist_ok=True)
        elif argv[0] == "rm":
            rmtree(argv[-1], ignore_errors=True)
        else:
            return Ran(code=0 if argv[-1] in ("python3", "sh") else 127)
        return Ran(code=0)


@dataclass
class Place:
    """A folder with builds and a deploy.yml, `config`; `tick` may kill a run."""

    folder: Path
    config: str = TEXT
    tick: Tick = quiet
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    clock: FakeClock = field(default_factory=FakeClock)

    def target(self) -> ProcessTarget:
        """A new one, as each run of ours has."""
        resolved = resolve(load(self.config, name="deploy.yml"), "hello", "staging", str(self.folder))
        host = Folders("here")
        host.tick = self.tick
        return ProcessTarget(
            settings=resolved,
            host=host,
            processes=self.processes,
            clock=self.clock,
            base={"PATH": "/bin"},
            fence=unfenced,
            locked=lambda path, *, wait: nullcontext(),
        )

    def release(self, tag: str, text: str = "") -> Release:
        build = self.folder / "builds" / "hello" / tag
        build.mkdir(parents=True, exist_ok=True)
        (build / "app.py").write_text(text or tag)
        digest = digest_of(self.folder, Reference(repository="builds/hello", tag=tag))
        image = Image(name="hello", repository="builds/hello", digest=digest, tag=tag)
        return self.target().resolve(Wanted(images=(image,))).release

    def do(self, kind: StepKind, release: Release, **args: Any) -> None:
        image = release.images[0] if kind is StepKind.PULL else None
        if kind is StepKind.SWITCH:
            args = {"leaving": False, **args}
        self.target().apply(Step(kind=kind, release=release, image=image, args=args, time_limit=5))

    def deploy(self, tag: str) -> Release:
        release = self.release(tag)
        for kind in (StepKind.PREPARE, StepKind.PULL, StepKind.SWITCH, StepKind.AWAIT_SERVING):
            self.do(kind, release)
        self.do(StepKind.RETAIN, release, good=True, previous="", tidy=True)
        return release

    def running(self) -> list[tuple[str, ...]]:
        """The commands of the living processes."""
        return [self.processes.started[pid - 1][0] for pid in sorted(self.processes.living)]

    def stored(self, release: Release) -> Path:
        name = release.images[0].digest.replace(":", "-")
        return self.folder / ".deploy-actions" / "hello-staging" / "images" / name


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


def test_a_release_is_started_in_its_own_folder_with_nothing_of_our_environment(place: Place) -> None:
    release = place.deploy("v1")
    argv, cwd, env = place.processes.started[0]
    assert argv == ("python3", "app.py")
    assert cwd == str(place.stored(release))
    assert env == {
        "PATH": "/bin",
        "PORT": "1",
        "DEPLOY_STACK": "hello",
        "DEPLOY_ENVIRONMENT": "staging",
        "DEPLOY_VERSION": "v1",
        "DEPLOY_RELEASE_ID": release.id,
    }
    (running,) = place.target().observe()
    assert running.runs(release.images[0])
    assert running.release_id == release.id
    assert running.serving


def test_what_is_observed_is_the_content_and_not_what_was_asked_for(place: Place) -> None:
    release = place.deploy("v1")
    (place.stored(release) / "app.py").write_text("tampered")
    (running,) = place.target().observe()
    assert not running.runs(release.images[0])
    (place.stored(release) / "app.py").write_text("v1")
    (place.stored(release) / "more.py").write_text("added")
    assert not place.target().observe()[0].runs(release.images[0])
    rmtree(place.stored(release))
    assert not place.target().observe()[0].runs(release.images[0])


def test_a_switch_ends_the_old_process_before_it_starts_the_new_one(place: Place) -> None:
    place.deploy("v1")
    place.deploy("v2")
    assert place.processes.living == {2}
    place.do(StepKind.RESTORE, place.release("v1"))
    assert place.processes.living == {3}


def test_a_switch_that_is_done_again_doubles_nothing(place: Place) -> None:
    release = place.deploy("v1")
    for _ in range(3):
        place.do(StepKind.SWITCH, release)
    assert len(place.processes.living) == 1
    assert [kept.release.id for kept in place.target().kept()] == [release.id]


@pytest.mark.parametrize("moment", ["before the book", "after the book"])
@pytest.mark.parametrize("again", [StepKind.SWITCH, StepKind.RESTORE])
def test_whoever_is_killed_while_starting_a_service_leaves_none_that_nobody_knows(
    place: Place, moment: str, again: StepKind
) -> None:
    old = place.deploy("v1")
    new = place.release("v2")
    place.do(StepKind.PULL, new)

    def kill(now: str) -> None:
        if now == moment:
            raise Killed

    place.tick = kill
    with pytest.raises(Killed):
        place.do(StepKind.SWITCH, new)
    place.tick = quiet
    assert place.processes.living == set()
    place.do(again, new if again is StepKind.SWITCH else old)
    assert len(place.processes.living) == 1
    assert [item.instance for item in place.target().observe()] == [str(*place.processes.living)]


OTHER = HEAD + """\
    process:
      settle: 3s
      services:
        web: {command: [sh, serve.sh], env: {PORT: "2", MORE: "yes"}}
        worker: {command: [sh, work.sh]}
    images: {hello: {repository: builds/hello, services: [web, worker]}}
"""


@pytest.mark.parametrize("way", ["rollback", "restore", "both"])
def test_a_kept_release_is_started_as_it_was_deployed(place: Place, way: str) -> None:
    old = place.deploy("v1")
    place.config = OTHER
    new = place.release("v2")
    for kind in (StepKind.PULL, StepKind.SWITCH):
        place.do(kind, new)
    assert place.running() == [("sh", "serve.sh"), ("sh", "work.sh")]
    if way != "restore":
        candidate = place.target().resolve(Wanted(images=old.images, snapshot=old.id))
        assert candidate.release.id == old.id
        assert candidate.workloads == {"web": 1}
        place.do(StepKind.SWITCH, candidate.release)
    if way != "rollback":
        place.do(StepKind.RESTORE, old)
    assert place.running() == [("python3", "app.py")]
    env = place.processes.started[-1][2]
    assert (env["PORT"], env["DEPLOY_VERSION"], "MORE" in env) == ("1", "v1", False)
    assert [(item.workload, item.release_id) for item in place.target().observe()] == [("web", old.id)]


def test_a_release_that_was_good_stays_good_when_it_comes_back(place: Place) -> None:
    old = place.deploy("v1")
    place.do(StepKind.SWITCH, place.release("v2"))
    place.do(StepKind.RESTORE, old)
    assert [(kept.release.version, kept.good, kept.current) for kept in place.target().kept()] == [
        ("v1", True, True),
        ("v2", False, False),
    ]


def test_who_rolls_back_leaves_a_release_until_it_is_switched_to_again(place: Place) -> None:
    def left() -> list[str]:
        return [kept.release.version for kept in place.target().kept() if kept.left]

    old, new = place.deploy("v1"), place.deploy("v2")
    assert left() == []
    place.do(StepKind.SWITCH, old, leaving=True)
    assert left() == ["v2"]
    place.do(StepKind.RETAIN, old, good=True, previous=new.id, tidy=True)
    place.deploy("v3")
    assert left() == ["v2"]
    place.do(StepKind.SWITCH, new, leaving=True)
    assert left() == ["v3"]
    place.do(StepKind.SWITCH, new, leaving=True)
    assert left() == ["v3"], "who goes back to what serves has left nothing"


def test_a_release_that_is_brought_back_was_not_left(place: Place) -> None:
    old, new = place.deploy("v1"), place.deploy("v2")
    place.do(StepKind.SWITCH, old, leaving=True)
    place.do(StepKind.RESTORE, new)
    assert not any(kept.left for kept in place.target().kept())


def test_how_long_a_kept_release_must_have_run_is_what_deploy_yml_says_now(place: Place) -> None:
    old = place.deploy("v1")
    place.config = OTHER.replace("3s", "30s")
    place.do(StepKind.RESTORE, old)
    with pytest.raises(StepFault, match="not serving after 5 s"):
        place.do(StepKind.AWAIT_SERVING, old)


def test_a_kept_release_does_not_need_the_name_that_its_image_has_in_deploy_yml(place: Place) -> None:
    old = place.deploy("v1")
    place.config = TEXT.replace("images: {hello:", "images: {renamed:")
    place.do(StepKind.RESTORE, old)
    assert place.running() == [("python3", "app.py")]


def test_single_images_that_go_back_are_started_as_the_release_that_serves(place: Place) -> None:
    old = place.deploy("v1")
    place.config = OTHER
    new = place.deploy("v2")
    mixed = place.target().resolve(Wanted(images=old.images, snapshot=new.id, only=("hello",))).release
    place.config = TEXT
    place.do(StepKind.SWITCH, mixed)
    assert place.running() == [("sh", "serve.sh"), ("sh", "work.sh")]


@pytest.mark.parametrize(("before", "after"), [("app.py", "other.py"), ('"1"', '"2"'), ("web", "web1")])
def test_another_way_to_start_is_another_release(place: Place, before: str, after: str) -> None:
    release = place.release("v1")
    place.config = TEXT.replace(before, after)
    assert place.release("v1").id != release.id
    place.config = TEXT
    assert place.release("v1").id == release.id


def test_what_differs_in_how_services_are_started_is_told_by_name(place: Place) -> None:
    place.deploy("v1")
    place.config = TEXT.replace('"1"', '"2"')
    target = place.target()
    image = place.release("v1").images[0]
    found = target.compare(target.resolve(Wanted(images=(image,))))
    assert [(item.name, str(item.how)) for item in found.settings] == [("web.env.PORT", "changed")]
    assert found.files == found.unknown == ()


def test_a_release_that_nobody_remembers_is_not_started_somehow(place: Place) -> None:
    stranger = replace(place.deploy("v1"), services="0" * 64)
    with pytest.raises(StepFault, match="how release v1 is started is not remembered here"):
        place.do(StepKind.RESTORE, stranger)
    assert len(place.processes.living) == 1
    with pytest.raises(StepFault, match="is not kept here"):
        place.target().resolve(Wanted(images=stranger.images, snapshot=stranger.id))


def test_a_process_that_ends_right_away_fails_with_its_last_words(place: Place) -> None:
    release = place.release("v1")
    for kind in (StepKind.PREPARE, StepKind.PULL, StepKind.SWITCH):
        place.do(kind, release)
    place.processes.living.clear()
    with pytest.raises(StepFault, match="web ended right after its start: log of python3"):
        place.do(StepKind.AWAIT_SERVING, release)
    assert place.target().observe()[0].health is Health.EXITED
    assert place.target().diagnose().services[0].lines == "log of python3"


def test_a_process_that_ends_without_a_word_is_not_explained_by_its_predecessors(place: Place) -> None:
    place.deploy("v1")
    place.processes.silent = True
    release = place.release("v2")
    for kind in (StepKind.PULL, StepKind.SWITCH):
        place.do(kind, release)
    place.processes.living.clear()
    with pytest.raises(StepFault, match="web ended right after its start: it printed nothing"):
        place.do(StepKind.AWAIT_SERVING, release)
    assert place.target().diagnose().services[0].lines == ""


def test_one_log_is_kept_beside_the_one_that_is_written(place: Place) -> None:
    for version, program in (("v1", "first"), ("v2", "second"), ("v3", "third")):
        place.config = TEXT.replace("python3", program)
        place.deploy(version)
    logs = place.folder / ".deploy-actions" / "hello-staging" / "logs"
    assert {path.name: path.read_text() for path in logs.iterdir()} == {
        "web.log": "log of third\n",
        "web.log.1": "log of second\n",
    }


def test_a_first_release_that_is_taken_down_leaves_nothing_running(place: Place) -> None:
    release = place.deploy("v1")
    place.do(StepKind.TAKE_DOWN, release)
    assert place.processes.living == set()
    assert place.target().observe() == ()
    assert not any(kept.current for kept in place.target().kept())


def test_a_build_that_was_made_again_under_its_name_is_not_taken(place: Place) -> None:
    release = place.release("v1")
    place.release("v1", "something else")
    with pytest.raises(DeployError, match="is not the build that was asked for any more") as fault:
        place.do(StepKind.PULL, release)
    assert fault.value.reason is Reason.PULL


def test_a_pull_that_was_killed_halfway_is_done_again(place: Place) -> None:
    release = place.release("v1")
    place.stored(release).mkdir(parents=True)
    (place.stored(release) / ".deploy-actions.0123").write_text("half a file")
    place.do(StepKind.PULL, release)
    assert sorted(path.name for path in place.stored(release).iterdir()) == ["app.py"]


def test_files_added_to_a_folder_in_use_are_not_wiped_away_but_told(place: Place) -> None:
    release = place.deploy("v1")
    (place.stored(release) / "more.py").write_text("added")
    with pytest.raises(StepFault, match="holds other files than v1"):
        place.do(StepKind.PULL, release)


def test_five_good_releases_are_kept_with_their_folders(place: Place) -> None:
    releases = [place.deploy(f"v{number}") for number in range(1, 9)]
    kept = [kept.release.version for kept in place.target().kept()]
    assert kept == ["v8", "v7", "v6", "v5", "v4", "v3"]
    assert [place.stored(release).is_dir() for release in releases] == [False] * 2 + [True] * 6


def test_what_is_only_marked_as_good_lets_nothing_go(place: Place) -> None:
    releases = [place.deploy(f"v{number}") for number in range(1, 7)]
    newest = place.release("v7")
    for kind in (StepKind.PULL, StepKind.SWITCH):
        place.do(kind, newest)
    place.do(StepKind.RETAIN, newest, good=True, previous="", tidy=False)
    kept = place.target().kept()
    assert [(item.release.version, item.good) for item in kept] == [(f"v{n}", True) for n in range(7, 0, -1)]
    assert all(place.stored(release).is_dir() for release in releases)


def test_there_must_be_such_a_build(place: Place) -> None:
    with pytest.raises(DeployError) as fault:
        digest_of(place.folder, Reference(repository="builds/hello", tag="nope"))
    assert fault.value.reason is Reason.IMAGE_MISSING


@pytest.mark.parametrize(
    ("program", "mode", "mark", "value"),
    [
        ("python3", 0o644, Mark.PASSED, "python3"),
        ("no-such-program", 0o644, Mark.FAILED, "no-such-program is not on PATH"),
        ("./app.py", 0o755, Mark.PASSED, "./app.py"),
        ("./app.py", 0o644, Mark.FAILED, "./app.py is not executable"),
        ("./no", 0o644, Mark.FAILED, "./no is not in the build"),
    ],
)
def test_the_programs_must_be_there_or_come_with_the_build(
    place: Place, program: str, mode: int, mark: Mark, value: str
) -> None:
    place.config = TEXT.replace("python3", program)
    release = place.release("v1")
    (place.folder / "builds" / "hello" / "v1" / "app.py").chmod(mode)
    (row,) = place.target().preflight(place.target().resolve(Wanted(images=release.images)))
    assert (row.mark, row.value) == (mark, value)
