"""The compose target on a real engine: the three scenarios of a release, and what it promises."""

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.integration.shop import Shop
from tests.lab.components import Registry, compose, docker
from tests.lab.images import PRUNE, Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    return Shop(folder=tmp_path, project=project, hello=hello)


def test_a_normal_release_goes_from_staging_to_production(shop: Shop) -> None:
    shop.release("sha-1")

    staged = shop.call("deploy", "staging", "--version", "sha-1")
    assert (staged.code, staged.status) == (0, "deployed"), staged
    assert (shop.records / "verified" / "shop.txt").read_text() == "sha-1\n"

    promoted = shop.call("promote", "production", "--version", staged.result["version"])
    assert (promoted.code, promoted.status) == (0, "deployed"), promoted
    assert shop.version("production", "backend") == "sha-1"
    digest = promoted.result["images"][0]["digest"]
    assert shop.digests("production", "worker") == {f"{shop.hello.reference('acme/api')}:sha-1@{digest}"}
    assert [line.partition(" | ")[2] for line in shop.history()] == [
        "shop | staging | deploy | sha-1 | success |",
        "shop-prod | prod | deploy | sha-1 | success |",
    ]

    before = shop.containers("production", "backend")[0]["Id"]
    again = shop.call("promote", "production", "--version", "sha-1")
    assert (again.code, again.status) == (0, "unchanged"), again
    assert shop.containers("production", "backend")[0]["Id"] == before


def test_a_wrong_version_is_refused_then_forced_and_comes_back_by_itself(shop: Shop) -> None:
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    assert shop.call("promote", "production", "--version", "sha-1").code == 0
    shop.release("sha-wrong999", "unhealthy")

    refused = shop.call("promote", "production", "--version", "sha-wrong999")
    assert (refused.code, refused.status) == (10, "refused"), refused
    assert shop.version("production", "backend") == "sha-1"

    reason = ("--reason", "the playbook's second scenario")
    forced = shop.call(
        "deploy", "production", "--version", "sha-wrong999", "--force", "sha-wrong999", *reason
    )
    assert (forced.code, forced.status) == (20, "rolled_back"), forced
    assert forced.result["rollback"]["proved"] is True
    assert shop.version("production", "backend") == "sha-1"
    notes = [line.split(" | ", 5)[3:] for line in shop.history()[2:]]
    assert notes[0][:2] == ["deploy", "sha-wrong999"]
    assert notes[0][2].startswith("fail | promote: api sha-wrong999")
    assert notes[1][2].startswith("fail | forced: the playbook's second scenario; await_serving: ")
    assert notes[2] == ["rollback", "sha-1", "success | automatic, after sha-wrong999 failed"]

    retried = shop.call("rollback", "production", "--version", "sha-wrong999")
    assert retried.code == 2, "it never served here"


def test_a_manual_rollback_goes_by_list_version_and_last_good(shop: Shop) -> None:
    for tag in ("sha-1", "sha-2", "sha-3"):
        shop.release(tag)
        assert shop.call("deploy", "staging", "--version", tag).code == 0

    listed = shop.call("rollback", "staging", "--list")
    assert [(row["version"], row["state"]) for row in listed.result] == [
        ("sha-3", "serves now"),
        ("sha-2", "ready"),
        ("sha-1", "ready"),
    ]

    back = shop.call("rollback", "staging", "--version", "sha-1")
    assert (back.code, back.status, back.result["verb"]) == (0, "deployed", "rollback"), back
    assert shop.version("staging", "backend") == "sha-1"
    last = shop.call("rollback", "staging", "--last-good")
    assert (last.code, last.result["version"]) == (0, "sha-2"), "sha-3 was left on purpose"
    assert shop.version("staging", "nginx") == "web-sha-2"


def test_the_front_end_goes_back_alone_and_so_does_the_back_end(shop: Shop) -> None:
    for tag in ("sha-1", "sha-2"):
        shop.release(tag)
        assert shop.call("deploy", "staging", "--version", tag).code == 0
    backend = shop.containers("staging", "backend")[0]["Id"]

    web = shop.call("rollback", "staging", "--only", "web", "--version", "sha-1")
    assert (web.code, web.result["version"]) == (0, "api:sha-2,web:sha-1"), web
    assert shop.version("staging", "nginx") == "web-sha-1"
    assert shop.containers("staging", "backend")[0]["Id"] == backend

    api = shop.call("rollback", "staging", "--only", "api", "--version", "sha-1")
    assert (api.code, api.result["version"]) == (0, "sha-1"), api
    assert {shop.version("staging", name) for name in ("backend", "worker")} == {"sha-1"}

    shop.hello.push("acme/web", tag="sha-9", behaviour="good")
    only = shop.call("deploy", "staging", "--only", "web", "--version", "sha-9")
    assert (only.code, only.result["version"]) == (0, "api:sha-1,web:sha-9"), only
    repeated = shop.call("deploy", "staging", "--only", "web", "--version", "sha-9")
    assert repeated.status == "unchanged", repeated


def test_the_pin_holds_against_a_person_and_pruning_leaves_the_way_back(
    shop: Shop, registry: Registry
) -> None:
    shop.release("sha-pruned")  # a name of its own, for the laboratory forgets its copy of it below
    assert shop.call("deploy", "staging", "--version", "sha-pruned").code == 0
    shop.release("sha-2")
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    container = shop.containers("staging", "backend")[0]["Id"]

    # As a person would at night: no project name, no file names.
    docker("compose", "--project-directory", str(shop.run_dir("staging")), "up", "-d")
    assert shop.containers("staging", "backend")[0]["Id"] == container
    status = shop.call("status", "staging")
    assert {row["proof"] for row in status.result["instances"]} == {"as recorded", "not managed"}

    for version in ("sha-pruned", "web-sha-pruned"):
        shop.hello.forget(version)
    docker(*PRUNE)
    with registry.stopped():
        back = shop.call("rollback", "staging", "--last-good")
    assert (back.code, back.result["version"]) == (0, "sha-pruned"), back
    assert shop.version("staging", "backend") == "sha-pruned"


def test_a_tag_that_moved_after_verification_does_not_matter(shop: Shop) -> None:
    shop.release("sha-1")
    staged = shop.call("deploy", "staging", "--version", "sha-1")
    shop.hello.push("acme/api", tag="sha-1", behaviour="good", version="evil")
    promoted = shop.call("promote", "production", "--version", "sha-1")
    assert promoted.code == 0, promoted
    assert [i["digest"] for i in promoted.result["images"]] == [i["digest"] for i in staged.result["images"]]
    assert shop.version("production", "backend") == "sha-1"


def test_what_runs_already_is_adopted_and_is_what_a_failure_goes_back_to(shop: Shop) -> None:
    shop.release("sha-1")
    run_dir = shop.run_dir("staging")
    run_dir.mkdir(parents=True)
    source = (shop.folder / "stacks" / "shop" / "docker-compose.yml").read_text()
    (run_dir / "docker-compose.yml").write_text(source.replace(":source", ":sha-1"))
    (run_dir / ".env").write_text("KEEP=me\n")
    compose(f"{shop.project}-staging", run_dir, "up", "-d")
    shop.release("sha-2", "unhealthy")

    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["rollback"]["version"]) == (20, "sha-1"), failed
    assert shop.version("staging", "backend") == "sha-1"
    assert ":sha-1" in (run_dir / "docker-compose.yml").read_text()

    shop.release("sha-3")
    assert shop.call("deploy", "staging", "--version", "sha-3").code == 0
    assert (run_dir / ".env").read_text() == "KEEP=me\n"
    back = shop.call("rollback", "staging", "--version", "sha-1")
    assert back.code == 0, back
    assert shop.version("staging", "worker") == "sha-1"
    kinds = [json.loads(line)["body"]["type"] for line in _ledger(shop)]
    assert kinds.count("adopted") == 1


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("unhealthy", "is unhealthy"),
        ("crashloop", "ended with exit code 1"),
        ("dies", "is exited (exit code 1)"),
    ],
)
def test_a_release_that_does_not_serve_is_taken_back(shop: Shop, behaviour: str, cause: str) -> None:
    shop.release("sha-1")
    if behaviour == "dies":
        slow = {"name": "patience", "type": "script", "command": ["sleep", "6"], "timeout": "20s"}
        shop.stack = {"checks": [slow]}
        shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    shop.release("sha-2", behaviour)
    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.status) == (20, "rolled_back"), failed
    assert cause in failed.result["failure"]["cause"]
    assert shop.version("staging", "backend") == "sha-1"
    assert shop.call("status", "staging").result["release"]["version"] == "sha-1"
    logs = Path(failed.result["evidence_path"]) / "logs" / "backend.log"
    assert logs.is_file()


def test_a_first_release_that_fails_is_taken_down(shop: Shop) -> None:
    shop.release("sha-1", "unhealthy")
    shop.env["COMPOSE_FILE"] = "of-the-job.yml"
    failed = shop.call("deploy", "staging", "--version", "sha-1")
    assert (failed.code, failed.result["reason_code"]) == (20, "taken_down"), failed
    assert shop.containers("staging", "backend") == []
    assert not (shop.run_dir("staging") / "compose.override.yaml").exists()


def test_nothing_changes_when_the_image_or_the_registry_is_not_there(shop: Shop, registry: Registry) -> None:
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    files = _files(shop.run_dir("staging"))

    missing = shop.call("deploy", "staging", "--version", "sha-none")
    assert (missing.code, missing.result["reason_code"]) == (3, "image_missing"), missing
    shop.release("sha-2")
    with registry.stopped():
        away = shop.call("deploy", "staging", "--version", "sha-2")
    assert (away.code, away.result["reason_code"]) == (3, "registry"), away
    assert _files(shop.run_dir("staging")) == files
    assert shop.version("staging", "backend") == "sha-1"


def test_preflight_names_every_bound_that_is_not_kept(shop: Shop) -> None:
    shop.release("sha-1")
    shop.services = {
        "nginx": {
            "image": f"{shop.hello.reference('acme/web')}:source",
            "networks": ["edge"],
            "build": ".",
        },
        "cache": {"image": "redis:latest"},
    }
    shop.stack = {"preflight": {"disk_free": "100%", "resource_limits": "fail"}}
    shop.write()
    path = shop.folder / "stacks" / "shop" / "docker-compose.yml"
    text = json.loads(path.read_text()) | {"networks": {"edge": {"external": True, "name": "edge-missing"}}}
    path.write_text(json.dumps(text))

    for verb in ("preflight", "deploy"):
        stopped = shop.call(verb, "staging", "--version", "sha-1")
        assert (stopped.code, stopped.result["reason_code"]) == (3, "preflight"), stopped
        rows = stopped.result["preflight"] + stopped.result["checks"]
        failed = {check["name"] for check in rows if check["mark"] == "failed"}
        assert {"network edge-missing", "build of nginx", "tag of cache", "limits of nginx"} <= failed
        assert any(name.startswith("disk free") for name in failed)
    assert shop.containers("staging", "backend") == []


def test_a_stack_with_an_override_of_its_own_is_pinned_beside_it(shop: Shop) -> None:
    shop.release("sha-1")
    own = {"services": {"backend": {"environment": {"OWN": "yes"}}}}
    (shop.folder / "stacks" / "shop" / "docker-compose.override.yml").write_text(json.dumps(own))
    done = shop.call("deploy", "staging", "--version", "sha-1")
    assert done.code == 0, done
    assert any("does not load the pin" in note for note in done.result["notes"])
    assert "OWN=yes" in shop.containers("staging", "backend")[0]["Config"]["Env"]
    status = shop.call("status", "staging")
    (command,) = [note for note in status.result["notes"] if note.startswith("by hand")]
    container = shop.containers("staging", "backend")[0]["Id"]
    docker(*command.removeprefix("by hand, to keep the pin: docker ").removesuffix(" …").split(), "up", "-d")
    assert shop.containers("staging", "backend")[0]["Id"] == container


def test_a_lost_memory_is_adopted_and_never_taken_for_an_empty_host(shop: Shop) -> None:
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    for path in (shop.run_dir("staging") / ".deploy-actions").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert shop.call("status", "staging").result["release"]["version"] == "sha-1"
    shop.release("sha-2", "unhealthy")
    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["reason_code"]) == (20, "rolled_back"), failed
    assert shop.version("staging", "backend") == "sha-1"


def test_five_good_releases_are_kept_beside_the_current_one(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    for number in range(8):
        shop.release(f"sha-{number}")
        assert shop.call("deploy", "staging", "--version", f"sha-{number}").code == 0
    kept = list((shop.run_dir("staging") / ".deploy-actions" / "releases").iterdir())
    assert len(kept) == 7, "five, the current one and the one before it"
    ours = f"reference=deploy-actions/{shop.project}-staging/web"
    tags = docker("image", "ls", "--format", "{{.Tag}}", "--filter", ours)
    assert len(tags.split()) == 7
    states = {r["version"]: r["state"] for r in shop.call("rollback", "staging", "--list").result}
    assert states["sha-0"] == "files not kept"
    gone = shop.call("rollback", "staging", "--version", "sha-0")
    assert gone.code == 3, gone


def _ledger(shop: Shop) -> list[str]:
    return (shop.records / "stacks" / "shop" / "ledger.jsonl").read_text().splitlines()


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.glob("*") if path.is_file()]
    return {path.name: path.read_text() for path in paths}




def test_a_pull_that_hangs_ends_at_its_limit_and_changes_nothing(shop: Shop, registry: Registry) -> None:
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    files = _files(shop.run_dir("staging"))
    with stalling_proxy(registry) as address:
        shop.hello.push("acme/api", tag="sha-2", behaviour="good")
        shop.stack = {"limits": {"pull": "3s"}, "images": dict(shop.config()["stacks"]["shop"]["images"])}
        shop.stack["images"]["api"] |= {"repository": f"{address}/acme/api"}
        shop.write()
        stopped = shop.call("deploy", "staging", "--only", "api", "--version", "sha-2")
    assert (stopped.code, stopped.result["reason_code"]) == (3, "pull"), stopped
    assert "longer than 3 s" in stopped.result["failure"]["cause"]
    assert _files(shop.run_dir("staging")) == files
    assert shop.version("staging", "backend") == "sha-1"


def test_containers_of_services_that_are_gone_are_reported_and_left_alone(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    shop.release("sha-1")
    shop.services = {"old": {"image": f"{shop.hello.reference('acme/web')}:sha-1"}}
    shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    shop.services = {}
    shop.write()
    shop.release("sha-2")
    done = shop.call("deploy", "staging", "--version", "sha-2")
    assert done.code == 0, done
    assert "orphans, left alone: old" in done.result["notes"]
    assert len(shop.containers("staging", "old")) == 1


@contextmanager
def stalling_proxy(registry: Registry) -> Iterator[str]:
    """The registry as it is for us, while the engine waits for ever."""
    ended = threading.Event()

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("User-Agent", "").startswith("docker/"):
                ended.wait(60)
                return
            url = f"http://{registry.address}{self.path}"
            with urllib.request.urlopen(urllib.request.Request(url, headers=dict(self.headers))) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version"):
                    self.send_header(name, answer.headers.get(name, ""))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
