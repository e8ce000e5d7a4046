"""The parts of the compose target that only think, and those that only look, on a host in memory."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Mark
from ci_lib.domain.running import Health
from ci_lib.domain.target import Wanted
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose import commands
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.memory import Memory, Remembered
from ci_lib.targets.compose.observe import running
from ci_lib.targets.compose.parsed import Parsed, differences, parse, services_hash
from ci_lib.targets.compose.pin import MARK, is_loaded, render
from ci_lib.targets.compose.preflight import HostFacts, judge
from ci_lib.targets.compose.serving import await_serving
from ci_lib.targets.compose.site import Site
from ci_lib.targets.compose.stage import Stage
from tests.contract.fake_target import digest, image, settings
from tests.fakes import FakeClock, FakeHost

RUN_DIR, STAGED = "/srv/stacks/shop-staging", "/srv/stacks/shop-staging/.deploy-actions/next"
RELEASE = Release(images=(image("api", "v1"), image("web", "v1")), files="f")


def parsed(**services: dict[str, Any]) -> Parsed:
    return parse(json.dumps({"services": services}), staged=STAGED, run_dir=RUN_DIR)


class TestParsed:
    def test_paths_of_the_staged_folder_become_those_of_the_run_folder(self) -> None:
        volume = {"type": "bind", "source": f"{STAGED}/conf", "target": "/conf"}
        found = parsed(
            api={"image": "x", "volumes": [volume], "env_file": STAGED, "x": f"{STAGED}-not"}
        )
        config = found.services["api"].config
        assert config["volumes"][0]["source"] == f"{RUN_DIR}/conf"
        assert config["env_file"] == RUN_DIR
        assert config["x"] == f"{STAGED}-not"

    def test_a_path_counts_wherever_it_stands_in_a_text(self) -> None:
        found = parsed(api={"command": [f"--config={STAGED}/agent.yml", f"a:{STAGED}:{STAGED}/b"]})
        assert found.services["api"].config["command"] == [
            f"--config={RUN_DIR}/agent.yml",
            f"a:{RUN_DIR}:{RUN_DIR}/b",
        ]

    def test_the_same_services_have_the_same_hash_wherever_they_were_staged(self) -> None:
        here = parsed(api={"image": "x:1", "env": {"A": f"{STAGED}/a"}}, db={"image": "pg:1"})
        there = parsed(
            api={"image": "x:2", "build": ".", "env": {"A": f"{RUN_DIR}/a"}}, db={"image": "pg:2"}
        )
        assert services_hash(here, ["api"]) == services_hash(there, ["api"])

    def test_another_setting_of_a_managed_service_is_another_hash(self) -> None:
        one, two = parsed(api={"environment": {"A": "1"}}), parsed(api={"environment": {"A": "2"}})
        assert services_hash(one, ["api"]) != services_hash(two, ["api"])

    def test_only_the_pins_images_may_differ(self) -> None:
        plain = parsed(api={"image": "x:1"}, db={"image": "pg:1"})
        good = parsed(api={"image": "x:1@sha256:a"}, db={"image": "pg:1"})
        assert differences(plain, good, {"api": "x:1@sha256:a"}) == ()
        assert differences(plain, good, {"api": "x:1@sha256:b"}) == (
            "api would run x:1@sha256:a, not x:1@sha256:b",
        )
        assert differences(plain, parsed(api={"image": "r"}), {"api": "r"}) == ("db changed",)
        missing = differences(plain, parsed(db={"image": "pg:1"}), {"api": "r"})
        assert missing == ("api would run no image, not r",)

    @pytest.mark.parametrize(
        ("config", "instances", "limited"),
        [
            ({}, 1, False),
            ({"scale": 3, "cpus": 1, "mem_limit": "1g"}, 3, True),
            ({"deploy": {"replicas": 2, "resources": {"limits": {"cpus": "0.5"}}}}, 2, False),
            ({"deploy": {"replicas": 0, "resources": {"limits": {"cpus": 1, "memory": "1"}}}}, 0, True),
            ({"deploy": None}, 1, False),
        ],
    )
    def test_instances_and_limits_of_a_service(
        self, config: dict[str, Any], instances: int, limited: bool
    ) -> None:
        service = parsed(api=config).services["api"]
        assert (service.instances, service.limited) == (instances, limited)

    def test_networks_that_must_exist_already(self) -> None:
        networks = {
            "edge": {"external": True, "name": "real"},
            "own": {},
            "plain": {"external": True},
            "no": None,
        }
        found = parse(json.dumps({"networks": networks}), staged=STAGED, run_dir=RUN_DIR)
        assert found.external_networks == ("plain", "real")

    def test_what_is_no_json_is_a_failed_step(self) -> None:
        with pytest.raises(StepFault, match="printed no JSON"):
            parse("WARN[0000] oops", staged=STAGED, run_dir=RUN_DIR)


class TestPin:
    def test_every_managed_service_gets_its_digest_and_our_labels(self) -> None:
        text = render(RELEASE, settings(), labels={}, defined=settings().managed).decode()
        head, _, rest = text.partition("\n")
        data = json.loads(rest)
        assert head == MARK
        assert data["name"] == "shop-staging"
        assert {name: service["image"] for name, service in data["services"].items()} == {
            "backend": f"ghcr.io/acme/api:v1@{digest('api:v1')}",
            "nginx": f"ghcr.io/acme/web:v1@{digest('web:v1')}",
            "worker": f"ghcr.io/acme/api:v1@{digest('api:v1')}",
        }
        assert data["services"]["nginx"]["labels"][commands.RELEASE] == RELEASE.id

    def test_services_that_are_not_switched_keep_the_labels_they_carry(self) -> None:
        text = render(
            RELEASE, settings(), labels={"nginx": {commands.RELEASE: "old"}}, defined={"nginx"}
        ).decode()
        data = json.loads(text.partition("\n")[2])
        assert data["services"]["nginx"]["labels"] == {commands.RELEASE: "old"}
        assert list(data["services"]) == ["nginx"], "the pin makes no service that the files do not define"

    @pytest.mark.parametrize(
        ("files", "foreign", "loaded"),
        [
            (("docker-compose.yml",), (), True),
            (("compose.yaml",), (), True),
            (("stack.yml",), (), False),
            (("compose.yaml", "more.yaml"), (), False),
            (("compose.yaml",), ("compose.override.yml",), False),
        ],
    )
    def test_whether_compose_finds_the_pin_by_itself(
        self, files: tuple[str, ...], foreign: tuple[str, ...], loaded: bool
    ) -> None:
        assert is_loaded(files, foreign) is loaded


class TestCommands:
    def test_up_neither_builds_nor_pulls(self) -> None:
        assert commands.up(()) == ("up", "-d", "--no-build", "--pull", "never")
        assert commands.up(("a", "b"))[-3:] == ("--no-deps", "a", "b")

    def test_files_are_named_below_the_folder(self) -> None:
        argv = commands.compose((), "/run", "shop", ("a.yml", "b.yml"), "config")
        assert argv == (
            *("env", "PWD=/run", "docker", "compose", "--project-directory", "/run", "-p", "shop"),
            *("-f", "/run/a.yml", "-f", "/run/b.yml", "config"),
        )

    def test_an_image_is_kept_by_a_name_of_twelve_digits(self) -> None:
        kept = commands.kept_tag("shop", image("api", "v1"))
        assert kept == f"deploy-actions/shop/api:{digest('api:v1')[7:19]}"


HOST = HostFacts(
    missing=(), engine="27.1.0", compose="v2.29.1", networks=frozenset({"edge"}), used={"/": 50}
)
GOOD = {"image": "x:1", "cpus": 1, "mem_limit": "1g"}
STACK: dict[str, Any] = {"backend": GOOD, "worker": GOOD, "nginx": GOOD}


def failed(
    host: HostFacts = HOST, extra: str = "", **services: dict[str, Any]
) -> dict[str, tuple[str, str]]:
    rows = judge(settings("staging", extra), parsed(**(STACK | services)), host)
    return {row.name: (row.value, row.bound) for row in rows if row.mark is Mark.FAILED}


class TestPreflight:
    def test_a_sound_host_and_stack_pass(self) -> None:
        assert failed() == {}

    @pytest.mark.parametrize(
        ("change", "row"),
        [
            ({"missing": ("flock",)}, "tools on the host"),
            ({"engine": "19.3.1"}, "Docker engine"),
            ({"engine": "Cannot connect to the Docker daemon"}, "Docker engine"),
            ({"compose": "2.19.9"}, "Docker Compose"),
            ({"compose": ""}, "Docker Compose"),
            ({"used": {"/": 80}}, "disk free at /"),
            ({"used": {}}, "disk free"),
            ({"closed": ("compose.yaml",)}, "files in the run directory"),
        ],
    )
    def test_what_is_wrong_with_a_host(self, change: dict[str, Any], row: str) -> None:
        facts = {
            "missing": (),
            "engine": "27.1",
            "compose": "2.29",
            "networks": frozenset(),
            "used": {"/": 50},
        } | change
        found = failed(HostFacts(**facts))
        assert list(found) == [row]
        value, bound = found[row]
        assert value
        assert bound

    def test_the_bound_for_the_disk_comes_from_the_configuration(self) -> None:
        host = HostFacts(
            missing=(), engine="27.1", compose="2.29", networks=frozenset(), used={"/": 85}
        )
        assert failed(host, "    preflight: {disk_free: 10%}\n") == {}
        assert failed(host)["disk free at /"] == ("15 %", "more than 20 %")

    @pytest.mark.parametrize(
        ("name", "config", "rows"),
        [
            ("db", {"image": "postgres"}, ["tag of db"]),
            ("db", {"image": "registry:5000/postgres"}, ["tag of db"]),
            ("db", {"image": "postgres:latest"}, ["tag of db"]),
            ("db", {"image": "postgres:16"}, []),
            ("db", {"image": "postgres@sha256:" + "a" * 64}, []),
            ("db", {"build": "."}, []),
            ("nginx", GOOD | {"build": "."}, ["build of nginx"]),
        ],
    )
    def test_tags_and_builds(self, name: str, config: dict[str, Any], rows: list[str]) -> None:
        assert list(failed(**{name: config})) == rows

    def test_a_missing_network_is_named_as_it_exists(self) -> None:
        networks = {"services": STACK, "networks": {"n": {"external": True, "name": "gone"}}}
        found = parse(json.dumps(networks), staged=STAGED, run_dir=RUN_DIR)
        rows = [row for row in judge(settings(), found, HOST) if row.mark is Mark.FAILED]
        assert [(row.name, row.value) for row in rows] == [("network gone", "missing")]

    def test_missing_limits_warn_or_fail_as_configured(self) -> None:
        marks = [
            row.mark for row in judge(settings(), parsed(**(STACK | {"nginx": {"image": "x:1"}})), HOST)
        ]
        assert marks.count(Mark.WARNED) == 1
        found = failed(extra="    preflight: {resource_limits: fail}\n", nginx={"image": "x:1"})
        assert list(found) == ["limits of nginx"]

    def test_a_managed_service_that_is_not_there(self) -> None:
        rows = judge(settings(), parsed(backend=GOOD), HOST)
        assert [row.value for row in rows if row.mark is Mark.FAILED] == ["nginx, worker"]


def container(service: str, state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    labels = {"com.docker.compose.service": service, commands.RELEASE: more.pop("release", "")}
    return {
        "Id": f"id-{service}",
        "Image": "sha256:img",
        "RestartCount": more.pop("restarts", 0),
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-02T03:04:05.123456789Z"}
        | (state or {}),
        "Config": {"Labels": labels, "Image": "x:1"},
    }


class TestObserve:
    @pytest.mark.parametrize(
        ("state", "health", "exit_code"),
        [
            ({}, Health.NONE, None),
            ({"Health": {"Status": "healthy"}}, Health.HEALTHY, None),
            ({"Health": {"Status": "starting"}}, Health.STARTING, None),
            ({"Health": {"Status": "unhealthy"}}, Health.UNHEALTHY, None),
            ({"Status": "exited", "ExitCode": 137}, Health.EXITED, 137),
            ({"Status": "exited", "Health": {"Status": "healthy"}}, Health.EXITED, 0),
            ({"Status": "dead"}, Health.EXITED, 0),
            ({"Status": "paused"}, Health.UNHEALTHY, None),
            ({"Status": "restarting"}, Health.STARTING, None),
            ({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, Health.STARTING, None),
        ],
    )
    def test_how_a_container_is(
        self, state: dict[str, Any], health: Health, exit_code: int | None
    ) -> None:
        found = running(container("api", state), {}, 1767323055.0, "web1")
        assert (found.health, found.exit_code) == (health, exit_code)
        assert found.age == (0.0 if state.get("Status") == "created" else 10.0)

    def test_an_image_is_known_by_its_digests_and_its_id(self) -> None:
        images = {"sha256:img": {"RepoDigests": ["r@sha256:1"]}}
        assert running(container("api"), images, 0, "web1").image_ids == ("r@sha256:1", "sha256:img")
        assert running(container("api"), {"sha256:img": {"RepoDigests": None}}, 0, "h").image_ids == (
            "sha256:img",
        )
        assert running(container("api"), {}, 0, "web1").image_ids == ()

    def test_an_image_of_two_repositories_is_called_by_the_one_it_was_started_from(self) -> None:
        first, own, other = (f"{name}/web@sha256:{'1' * 64}" for name in "arz")
        images = {"sha256:img": {"RepoDigests": [first, own, other]}}
        item = container("web")
        for named in ("r/web:v2", own):
            item["Config"]["Image"] = named
            assert running(item, images, 0, "web1").image_ids[0] == own
        for named in ("sha256:img", "", "Odd Name"):
            item["Config"]["Image"] = named
            assert running(item, images, 0, "web1").image_ids[0] == first


class TestMemory:
    def test_what_is_remembered_is_read_once_until_it_changes(self) -> None:
        new = Release(images=(image("api", "v2"), image("web", "v2")), files="f")
        lines = [
            f"current {new.id}",
            "layout compose.yaml",
            "layout compose.override.yaml",
            "foreign .env",
            f"unknown {json.dumps(new.as_json())}",
            "layout compose.yaml",
            f"good {json.dumps(RELEASE.as_json())}",
            "left",
            "layout old.yaml",
            "layout .deploy-actions/images.yaml",
        ]
        host = FakeHost(commands={("sh",): Ran(code=0, stdout="\n".join(lines))})
        memory = Memory(Site(settings=settings("staging"), host=host, clock=FakeClock()))
        found = memory.read()
        assert [(kept.release, kept.good, kept.current, kept.left) for kept in found.kept] == [
            (new, False, True, False),
            (RELEASE, True, False, True),
        ]
        assert (found.layout, found.foreign) == ("compose.yaml\ncompose.override.yaml\n", (".env",))
        assert found.layouts[RELEASE.id] == "old.yaml\n.deploy-actions/images.yaml\n"
        assert memory.read() is found
        memory.changed()
        assert memory.read() is not found

    def test_a_host_that_was_never_deployed_to_remembers_nothing(self) -> None:
        host = FakeHost(commands={("sh",): Ran(code=0)})
        assert Memory(Site(settings=settings("staging"), host=host, clock=FakeClock())).read() == Remembered()


class TestStage:
    def test_the_ledger_is_no_part_of_a_stack_that_lies_around_it(self, tmp_path: Path) -> None:
        (tmp_path / "records").mkdir()
        (tmp_path / "records" / "ledger.jsonl").write_text("{}")
        (tmp_path / "compose.yaml").write_text("services: {}")
        extra = "    compose: {source: ., files: [compose.yaml]}\n"
        resolved = settings("staging", extra)
        records = resolved.records.model_copy(update={"path": str(tmp_path / "records")})
        resolved = replace(resolved, folder=str(tmp_path), records=records)
        services = {name: {"image": "x:1"} for name in resolved.managed}
        host = FakeHost(
            commands={
                ("sh",): [Ran(code=0), Ran(code=0, stdout="staged\n" + json.dumps({"services": services}))]
            }
        )
        site = Site(settings=resolved, host=host, clock=FakeClock())
        memory = Memory(site)
        stage = Stage(site, Layout(site, memory), memory)
        stage.resolve(Wanted(images=RELEASE.images))
        assert stage.files == ("compose.yaml",)

    def test_the_checkouts_files_count_again_after_something_was_brought_back(self, tmp_path: Path) -> None:
        for name in ("docker-compose.yml", "prod.yml"):
            (tmp_path / name).write_text("services: {}")
        extra = "    compose: {source: ., files: [docker-compose.yml, prod.yml]}\n"
        resolved = replace(settings("staging", extra), folder=str(tmp_path))
        services = json.dumps({"services": {name: {"image": "x:1"} for name in resolved.managed}})
        host = FakeHost(commands={("sh",): [Ran(code=0), Ran(code=0, stdout=f"staged\n{services}")]})
        site = Site(settings=resolved, host=host, clock=FakeClock())
        memory = Memory(site)
        layout = Layout(site, memory)
        layout.follow("old.yml\ncompose.override.yaml\n")
        memory.read()
        Stage(site, layout, memory).resolve(Wanted(images=RELEASE.images))
        named = [word.rpartition("/")[2] for word in host.calls[-1].argv if word.endswith(".yml")]
        assert named == ["docker-compose.yml", "prod.yml"]

    def test_files_that_did_not_arrive_are_no_mistake_in_the_compose_file(self, tmp_path: Path) -> None:
        (tmp_path / "docker-compose.yml").write_text("services: {}")
        resolved = replace(
            settings("staging", "    compose: {source: .}\n"), folder=str(tmp_path)
        )
        host = FakeHost(commands={("sh",): [Ran(code=0), Ran(code=1, stderr="no space left on device")]})
        site = Site(settings=resolved, host=host, clock=FakeClock())
        memory = Memory(site)
        with pytest.raises(StepFault, match=r"could not be staged on web1: no space left"):
            Stage(site, Layout(site, memory), memory).resolve(Wanted(images=RELEASE.images))


class Serving:
    """A host whose engine shows one list of containers after the other."""

    def __init__(self, *looks: list[dict[str, Any]], extra: str = "") -> None:
        self.clock = FakeClock()
        answers = [
            Ran(code=0, stdout="\n".join(["1767323055", *(f"id {json.dumps(item)}" for item in look), "---"]))
            for look in looks
        ]
        host = FakeHost(commands={("sh",): list(answers)})
        self.site = Site(settings=settings("staging", extra), host=host, clock=self.clock)

    def wait(self, *services: str) -> None:
        await_serving(self.site, services, limit=10)


class TestServing:
    def test_it_waits_until_everything_is_healthy(self) -> None:
        starting = container("api", {"Health": {"Status": "starting"}})
        healthy = container("api", {"Health": {"Status": "healthy"}})
        place = Serving([], [starting], [healthy])
        place.wait("api")
        assert len(place.clock.slept) == 2

    def test_what_has_no_health_check_must_have_run_for_a_while(self) -> None:
        young = container("api", {"StartedAt": "2026-01-02T03:04:14Z"})
        place = Serving([young], [container("api")])
        place.wait("api")
        assert len(place.clock.slept) == 1

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ({"Health": {"Status": "unhealthy"}}, "api is unhealthy"),
            ({"Status": "exited", "ExitCode": 1}, "api ended with exit code 1"),
            ({"Status": "exited", "ExitCode": 0}, "list it under `one_shot:`"),
        ],
    )
    def test_what_is_hopeless_ends_the_wait_at_once(self, state: dict[str, Any], said: str) -> None:
        place = Serving([container("api", state)])
        with pytest.raises(StepFault, match=said):
            place.wait("api")
        assert place.clock.slept == []

    def test_a_crash_loop_is_recognised(self) -> None:
        looks = [[container("api", {"Status": "restarting"}, restarts=count)] for count in range(6)]
        with pytest.raises(StepFault, match="restarts again and again"):
            Serving(*looks).wait("api")

    def test_the_deadline_names_who_is_late_and_who_is_missing(self) -> None:
        starting = container("api", {"Health": {"Status": "starting"}})
        with pytest.raises(StepFault, match=r"not serving after 10 s: api \(starting\), web"):
            Serving([starting]).wait("api", "web")

    def test_a_one_shot_service_has_served_when_it_ended_well(self) -> None:
        extra = "    compose: {one_shot: [init]}\n"
        Serving([container("init", {"Status": "exited"})], extra=extra).wait("init")
        with pytest.raises(StepFault, match="exit code 2"):
            Serving([container("init", {"Status": "exited", "ExitCode": 2})], extra=extra).wait("init")
