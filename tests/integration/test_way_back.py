"""The way back restores everything: after a failed deploy the same services run the same images as before."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shop import Shop
from tests.lab.components import compose, docker
from tests.lab.images import Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    shop.release("sha-1")
    return shop


def broken(shop: Shop, tag: str = "sha-2") -> None:
    """A release whose container ends at once."""
    shop.hello.push("acme/web", tag=tag, behaviour="crashloop")


def source(shop: Shop) -> Path:
    return shop.folder / "stacks" / "shop"


def edit(shop: Shop, name: str, data: dict[str, Any]) -> None:
    (source(shop) / name).write_text(json.dumps(data))


def everything(shop: Shop) -> list[str]:
    """Every container of the project, running or not: service, image, state."""
    label = f"label=com.docker.compose.project={shop.project}-staging"
    line = '{{.Label "com.docker.compose.service"}} {{.Image}} {{.State}}'
    return sorted(docker("ps", "-a", "--filter", label, "--format", line).splitlines())


def files(shop: Shop) -> dict[str, str]:
    return {path.name: path.read_text() for path in shop.run_dir("staging").iterdir() if path.is_file()}


def comes_back(shop: Shop, before: list[str], kept: dict[str, str], *words: str) -> None:
    failed = shop.call("deploy", "staging", "--version", "sha-2", *words)
    assert (failed.code, failed.result["rollback"]["proved"]) == (20, True), failed
    assert everything(shop) == before
    assert files(shop) == kept


def test_from_a_release_that_renamed_its_compose_file(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before, kept = everything(shop), files(shop)
    broken(shop)
    (source(shop) / "docker-compose.yml").rename(source(shop) / "compose.yaml")
    config = shop.config()
    config["stacks"]["shop"]["compose"]["files"] = ["compose.yaml"]
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    comes_back(shop, before, kept)


def test_from_a_release_that_brought_an_override(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before, kept = everything(shop), files(shop)
    broken(shop)
    edit(shop, "docker-compose.override.yml", {"services": {"nginx": {"environment": {"NEW": "1"}}}})
    comes_back(shop, before, kept)


def test_from_a_release_that_added_services(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before, kept = everything(shop), files(shop)
    broken(shop)
    web = f"{shop.hello.reference('acme/web')}:sha-1"
    shop.services = {"jobs": {"image": web}, "cron": {"image": web}}
    shop.write()
    config = shop.config()
    config["stacks"]["shop"]["images"]["web"]["services"].append("jobs")
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    comes_back(shop, before, kept)


def test_from_a_first_release_beside_a_database_that_was_there(shop: Shop) -> None:
    run_dir = shop.run_dir("staging")
    run_dir.mkdir(parents=True)
    db = {"db": {"image": f"{shop.hello.reference('acme/web')}:sha-1"}}
    docker("pull", "-q", db["db"]["image"])
    (run_dir / "docker-compose.yml").write_text(json.dumps({"services": db}))
    compose(f"{shop.project}-staging", run_dir, "up", "-d")
    shop.services = db
    shop.write()
    before = everything(shop)
    broken(shop)
    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["reason_code"]) == (20, "taken_down"), failed
    assert everything(shop) == before


def test_a_rollback_to_before_a_service_existed_leaves_no_stray(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before = everything(shop)
    shop.release("sha-2")
    shop.services = {"jobs": {"image": f"{shop.hello.reference('acme/web')}:source"}}
    shop.write()
    config = shop.config()
    config["stacks"]["shop"]["images"]["web"]["services"].append("jobs")
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    assert len(everything(shop)) == 2
    back = shop.call("rollback", "staging", "--version", "sha-1")
    assert back.code == 0, back
    assert everything(shop) == before


def test_a_stopped_container_is_started_by_the_next_deploy(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before = everything(shop)
    docker("stop", shop.containers("staging", "nginx")[0]["Id"])
    again = shop.call("deploy", "staging", "--version", "sha-1")
    assert (again.code, again.status) == (0, "deployed"), again
    assert everything(shop) == before


def test_a_service_that_is_gone_comes_back_with_the_next_deploy_even_if_it_is_not_managed(shop: Shop) -> None:
    shop.services = {"helper": {"image": f"{shop.hello.reference('acme/web')}:sha-1"}}
    shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    before = everything(shop)
    docker("rm", "-f", shop.containers("staging", "helper")[0]["Id"])
    again = shop.call("deploy", "staging", "--version", "sha-1")
    assert (again.code, again.status) == (0, "deployed"), again
    assert everything(shop) == before
    assert shop.call("deploy", "staging", "--version", "sha-1").status == "unchanged"


def test_the_working_directory_and_a_scale_of_zero_mean_what_they_say(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    web = f"{shop.hello.reference('acme/web')}:sha-1"
    mount = {"image": web, "volumes": ["${PWD}/data:/data"]}
    shop.services = {"mount": mount, "batch": {"image": web, "scale": 0}}
    shop.write()
    done = shop.call("deploy", "staging", "--version", "sha-1")
    assert done.code == 0, done
    (bound,) = shop.containers("staging", "mount")[0]["Mounts"]
    assert bound["Source"] == str(shop.run_dir("staging") / "data")


def test_a_file_that_a_release_no_longer_has_is_gone_and_comes_back_with_it(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    plain = files(shop)
    shop.release("sha-2")
    edit(shop, "docker-compose.override.yml", {"services": {"nginx": {"environment": {"NEW": "1"}}}})
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    assert "NEW=1" in shop.containers("staging", "nginx")[0]["Config"]["Env"]
    assert "compose.override.yaml" not in files(shop), "a stale pin would downgrade whoever types `up -d`"

    assert shop.call("rollback", "staging", "--version", "sha-1").code == 0
    assert "NEW=1" not in shop.containers("staging", "nginx")[0]["Config"]["Env"]
    assert files(shop) == plain
    assert shop.call("rollback", "staging", "--version", "sha-2").code == 0
    assert "NEW=1" in shop.containers("staging", "nginx")[0]["Config"]["Env"]


def test_the_hosts_settings_beat_those_of_the_job(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    (shop.run_dir("staging") / ".env").write_text("SETTING=from-the-host\n")
    shop.env["SETTING"] = "from-the-job"
    web = f"{shop.hello.reference('acme/web')}:source"
    shop.services = {"nginx": {"image": web, "environment": {"SETTING": "${SETTING}"}}}
    shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    assert "SETTING=from-the-host" in shop.containers("staging", "nginx")[0]["Config"]["Env"]
