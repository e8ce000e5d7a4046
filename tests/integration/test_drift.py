"""What people do to a host by hand, each told by `drift`, which changes nothing; on a real engine."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shop import Called, Shop
from tests.integration.test_ssh import remote_shop
from tests.lab.components import Sshd, compose, docker
from tests.lab.images import Hello

PIN = "compose.override.yaml"


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    """v1 serves in staging, with a file beside the Compose file."""
    made = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    return served(made)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_project: str, hello: Hello) -> Shop:
    """The same for several tests, each of which leaves it as it was."""
    made = Shop(folder=tmp_path_factory.mktemp("shared"), project=shared_project, hello=hello, small=True)
    return served(made)


def served(shop: Shop) -> Shop:
    (shop.folder / "stacks" / "shop" / "site.conf").write_text("one")
    for tag in ("v1", "v2"):
        shop.release(tag)
    assert shop.call("deploy", "staging", "--version", "v1").code == 0
    return shop


def everything(shop: Shop) -> tuple[Any, ...]:
    """All that looking could change: files, their times and modes, containers, the ledger."""
    folder = shop.folder / "srv"
    files = {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    project = f"label=com.docker.compose.project={shop.project}-staging"
    ids = docker("ps", "-aq", "--no-trunc", "--filter", project).split()
    containers = json.loads(docker("inspect", *ids)) if ids else []
    # A health check goes on by itself.
    facts = ("Status", "StartedAt", "FinishedAt")
    return files, [(item["Id"], [item["State"][fact] for fact in facts]) for item in containers]


def look(shop: Shop) -> Called:
    before = everything(shop)
    called = shop.call("drift", "staging")
    assert everything(shop) == before
    return called


def wrong(called: Called) -> dict[str, str]:
    return {row["name"]: row["value"] for row in called.result["checks"] if row["mark"] == "failed"}


def drifted(shop: Shop, *names: str) -> dict[str, str]:
    called = look(shop)
    assert (called.code, called.result["reason_code"]) == (4, "drift"), called
    assert set(wrong(called)) == set(names), called
    return wrong(called)


@contextmanager
def edited(*paths: Path, text: bytes) -> Iterator[None]:
    """In the block the files hold that text."""
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(text)
    yield
    for path, data in before.items():
        path.write_bytes(data)


def by_hand(shop: Shop, services: dict[str, Any], *words: str) -> None:
    """`docker compose up` by somebody with a file of their own, in our project."""
    folder = shop.folder / "by-hand"
    folder.mkdir(exist_ok=True)
    (folder / "docker-compose.yml").write_text(json.dumps({"services": services}))
    compose(f"{shop.project}-staging", folder, "up", "-d", *words)


def test_what_was_deployed_and_left_alone_is_clean_and_so_is_a_rollback(shop: Shop) -> None:
    called = look(shop)
    assert (called.code, called.status) == (0, "passed"), called
    assert {row["name"]: row["value"] for row in called.result["checks"]}["files"] == "2 as deployed"
    assert shop.call("deploy", "staging", "--version", "v2").code == 0
    assert look(shop).code == 0
    assert shop.call("rollback", "staging", "--last-good").code == 0
    called = look(shop)
    assert (called.code, called.result["version"]) == (0, "v1"), called


def test_another_image_by_hand(shop: Shop) -> None:
    image = f"{shop.hello.reference('acme/web')}:v2"
    by_hand(shop, {"nginx": {"image": image}})
    found = drifted(shop, "image of nginx", "labels of nginx")
    assert found["image of nginx"].startswith(f"{shop.hello.reference('acme/web')}@sha256:")
    # As a person would who has read the table.
    assert shop.call("deploy", "staging", "--version", "v1").code == 0
    assert look(shop).code == 0


def test_a_container_without_our_labels(shop: Shop) -> None:
    digest = shop.containers("staging", "nginx")[0]["Config"]["Image"]
    by_hand(shop, {"nginx": {"image": digest}})
    found = drifted(shop, "labels of nginx")
    assert "deploy-actions.release" in found["labels of nginx"]


def test_files_and_the_pin_edited_by_hand(shared: Shop) -> None:
    run = shared.run_dir("staging")
    (run / "site.conf").write_text("edited")
    (run / "data.txt").write_text("of the application, and none of ours")
    (run / ".env").write_text("SECRET=changed\n")
    assert drifted(shared, "file site.conf") == {"file site.conf": "changed"}
    again = shared.call("deploy", "staging", "--version", "v1")
    assert (again.code, again.status) == (0, "unchanged"), "the page says so, and how the file comes back"
    drifted(shared, "file site.conf")
    (run / "site.conf").unlink()
    assert drifted(shared, "file site.conf") == {"file site.conf": "missing, or no plain file"}
    (kept,) = (run / ".deploy-actions" / "releases").glob("*/files/site.conf")
    shutil.copy2(kept, run / "site.conf")
    pin = (run / PIN).read_text()
    (run / PIN).write_text(pin.replace("v1@", "v2@"))
    assert drifted(shared, f"pin {PIN}") == {f"pin {PIN}": "changed"}
    (run / PIN).write_text(pin)
    (run / "docker-compose.override.yml").write_text("services: {}\n")
    drifted(shared, "override docker-compose.override.yml")
    (run / "docker-compose.override.yml").unlink()
    assert look(shared).code == 0


def test_the_kept_files_edited_along_with_the_others(shared: Shop) -> None:
    run = shared.run_dir("staging")
    (kept,) = (run / ".deploy-actions" / "releases").glob("*/files/site.conf")
    with edited(run / "site.conf", kept, text=b"edited"):
        drifted(shared, "kept files")


def test_a_stray_container_a_stopped_one_and_none_at_all(shop: Shop) -> None:
    image = f"{shop.hello.reference('acme/web')}:v2"
    by_hand(shop, {"stray": {"image": image}})
    drifted(shop, "containers of stray")
    docker("rm", "-f", shop.containers("staging", "stray")[0]["Id"])
    container = shop.containers("staging", "nginx")[0]["Id"]
    docker("stop", "-t", "0", container)
    assert drifted(shop, "instances of nginx") == {"instances of nginx": "0 running, 1 stopped"}
    docker("rm", container)
    assert drifted(shop, "instances of nginx") == {"instances of nginx": "0 running"}


def test_one_off_containers_and_what_the_release_does_not_manage_are_no_drift(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = served(Shop(folder=tmp_path, project=project, hello=hello))
    called = look(shop)
    assert called.code == 0, called
    assert shop.call("deploy", "staging", "--only", "web", "--version", "v2").code == 0
    called = look(shop)
    assert (called.code, called.result["version"]) == (0, "api:v1,web:v2"), called


def test_what_was_never_deployed_and_what_was_started_by_hand(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    shop.release("v1")
    called = look(shop)
    assert (called.code, called.status) == (0, "passed"), called
    assert called.result["notes"] == ["nothing is to run here, and nothing does"]
    by_hand(shop, {"nginx": {"image": f"{hello.reference('acme/web')}:v1"}})
    found = drifted(shop, "release", "containers of nginx")
    assert found["release"].startswith("v1 (")


def test_an_adopted_release_that_came_back_is_clean(tmp_path: Path, project: str, hello: Hello) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    for tag, behaviour in (("v1", "nohealth"), ("v2", "unhealthy")):
        hello.push("acme/web", tag=tag, behaviour=behaviour)
    run = shop.run_dir("staging")
    run.mkdir(parents=True)
    services = {"nginx": {"image": f"{hello.reference('acme/web')}:v1"}}
    (run / "docker-compose.yml").write_text(json.dumps({"services": services}))
    compose(f"{project}-staging", run, "up", "-d")
    assert shop.call("deploy", "staging", "--version", "v2").code == 20
    called = look(shop)
    assert called.code == 0, called
    (run / "docker-compose.yml").write_text(json.dumps({"services": {**services, "more": services["nginx"]}}))
    drifted(shop, "file docker-compose.yml")


def test_a_damaged_ledger_decides_nothing(shared: Shop) -> None:
    ledger = shared.records / "stacks" / "shop" / "ledger.jsonl"
    with edited(ledger, text=ledger.read_bytes().replace(b'"v1"', b'"v9"')):
        called = look(shared)
    assert (called.code, called.result["reason_code"]) == (11, "cannot_decide"), called


def test_over_ssh_and_in_a_job_the_table_stands_in_the_summary(
    tmp_path: Path, project: str, hello: Hello, sshd: Sshd
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    reached = remote_shop(tmp_path, project, hello, sshd)
    shop.host, shop.env = reached.host, reached.env
    shop.write()
    served(shop)
    page = tmp_path / "summary.md"
    shop.env = {**shop.env, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    (shop.run_dir("staging") / "site.conf").write_text("edited")
    drifted(shop, "file site.conf")
    text = page.read_text()
    assert "shop staging has drifted" in text
    assert "| ❌ | file site.conf | changed | as deployed |" in text
    assert "not begun" not in text
    with sshd.stopped():
        called = shop.call("drift", "staging")
    assert (called.code, called.result["reason_code"]) == (3, "unreachable"), called
