"""Taking a stack down on a real engine: containers go, data, files and kept releases stay."""

from pathlib import Path

import pytest

from tests.integration.shop import Shop
from tests.integration.test_faults import started
from tests.lab.components import docker, wait_for
from tests.lab.images import Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    """sha-1 serves in staging; it brought a file, and its service has a volume with something in it."""
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True, volumes={"data": {}})
    shop.services["nginx"] = shop.compose_services()["nginx"] | {"volumes": ["data:/data"]}
    shop.write()
    (source(shop) / "only-in-1.conf").write_text("1\n")
    shop.release("sha-1")
    deployed = shop.call("deploy", "staging", "--version", "sha-1")
    assert deployed.code == 0, deployed
    docker("exec", shop.containers("staging", "nginx")[0]["Id"], "touch", "/data/kept")
    return shop


def source(shop: Shop) -> Path:
    return shop.folder / "stacks" / "shop"


def state(shop: Shop) -> Path:
    return shop.run_dir("staging") / ".deploy-actions"


def everything(shop: Shop) -> str:
    """All containers and networks of the project."""
    label = f"label=com.docker.compose.project={shop.project}-staging"
    return docker("ps", "-aq", "--filter", label) + docker("network", "ls", "-q", "--filter", label)


def test_containers_and_networks_go_and_all_comes_back_with_its_data(shop: Shop) -> None:
    for words in (("-d", "nginx", "sleep", "300"), ("--name", f"{shop.project}-done", "nginx", "true")):
        docker("compose", "--project-directory", str(shop.run_dir("staging")), "run", *words)
    down = shop.call("take-down", "staging", "--version", "sha-1")
    assert (down.code, down.status, down.result["reason_code"]) == (0, "passed", "down"), down
    assert everything(shop) == ""
    assert shop.history()[-1].endswith("| take-down | sha-1 | success |")
    assert shop.call("drift", "staging").code == 0
    assert shop.call("status", "staging").result["release"] is None
    assert [row["state"] for row in shop.call("rollback", "staging", "--list").result] == ["ready"]
    again = shop.call("take-down", "staging", "--version", "sha-1")
    assert (again.code, again.result["reason_code"]) == (0, "passed"), again

    back = shop.call("rollback", "staging", "--last-good")
    assert (back.code, back.result["version"]) == (0, "sha-1"), back
    assert docker("exec", shop.containers("staging", "nginx")[0]["Id"], "ls", "/data") == "kept\n"


def test_the_next_release_removes_the_files_of_the_one_that_was_taken_down(shop: Shop) -> None:
    assert shop.call("take-down", "staging", "--version", "sha-1").code == 0
    assert (shop.run_dir("staging") / "only-in-1.conf").exists()
    (source(shop) / "only-in-1.conf").unlink()
    shop.release("sha-2")
    deployed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (deployed.code, deployed.result["previous_version"]) == (0, ""), deployed
    assert not (shop.run_dir("staging") / "only-in-1.conf").exists()
    assert shop.call("drift", "staging").code == 0


def test_a_release_that_fails_afterwards_leaves_it_down_with_the_files_of_before(shop: Shop) -> None:
    assert shop.call("take-down", "staging", "--version", "sha-1").code == 0
    (source(shop) / "only-in-1.conf").unlink()
    (source(shop) / "only-in-2.conf").write_text("2\n")
    shop.stack = {"checks": [{"name": "never", "type": "script", "command": ["false"], "tries": 1}]}
    shop.write()
    shop.release("sha-2")
    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["reason_code"]) == (20, "taken_down"), failed
    assert shop.containers("staging", "nginx") == []
    assert (shop.run_dir("staging") / "only-in-1.conf").exists()
    assert not (shop.run_dir("staging") / "only-in-2.conf").exists()
    assert shop.call("status", "staging").result["release"] is None

    shop.stack = {}
    (source(shop) / "only-in-2.conf").unlink()
    shop.write()
    shop.stack = {"hooks": {"before_switch": [["sh", "-c", f"echo other > {state(shop)}/next.for"]]}}
    shop.write()
    early = shop.call("deploy", "staging", "--version", "sha-2")
    assert (early.code, early.result["reason_code"]) == (20, "taken_down"), early
    assert (shop.run_dir("staging") / "only-in-1.conf").exists(), "the switch had not come so far"

    shop.stack = {}
    shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    assert not (shop.run_dir("staging") / "only-in-1.conf").exists(), "it is still known whose file that was"


def test_a_run_killed_on_its_way_down_is_undone(shop: Shop) -> None:
    process = shop.start("take-down", "staging", "--version", "sha-1")
    wait_for(lambda: started(shop, "take_down"), "the stack to go down", limit=60)
    shop.kill(process)
    cleared = shop.call("finalize", "staging")
    assert (cleared.code, cleared.result["reason_code"]) == (20, "recovered"), cleared
    assert shop.version("staging", "nginx") == "web-sha-1"
    assert shop.call("drift", "staging").code == 0
    assert shop.call("take-down", "staging", "--version", "sha-1").code == 0


def test_what_a_person_started_again_is_not_overlooked(shop: Shop) -> None:
    assert shop.call("take-down", "staging", "--version", "sha-1").code == 0
    docker("compose", "--project-directory", str(shop.run_dir("staging")), "up", "-d")
    assert shop.call("drift", "staging").code == 4
    refused = shop.call("take-down", "staging", "--version", "sha-1")
    assert (refused.code, refused.result["reason_code"]) == (4, "changed"), refused
    shop.release("sha-2")
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    assert shop.version("staging", "nginx") == "web-sha-2"


def test_what_would_not_come_back_is_named_and_a_project_that_was_renamed_is_not_overlooked(
    shop: Shop,
) -> None:
    written = (shop.folder / "deploy.yml").read_text()
    renamed = written.replace(f'"{shop.project}-{{environment}}"', f'"{shop.project}-new-{{environment}}"')
    assert renamed != written
    (shop.folder / "deploy.yml").write_text(renamed)
    refused = shop.call("take-down", "staging", "--version", "sha-1")
    assert (refused.code, refused.result["reason_code"]) == (4, "changed"), refused
    moved = shop.call("deploy", "staging", "--version", "sha-1")
    assert moved.code == 0, moved
    stopped = shop.call("take-down", "staging", "--version", "sha-1")
    assert (stopped.code, stopped.result["reason_code"]) == (3, "preflight"), stopped
    assert f"nginx-1 of {shop.project}-staging" in stopped.result["failure"]["cause"]
    docker("compose", "-p", f"{shop.project}-staging", "down")

    shop.services["nginx"] |= {"volumes": ["data:/data", "/nameless"]}
    shop.write()
    (shop.folder / "deploy.yml").write_text(renamed)
    shop.release("sha-2")
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    label = "com.docker.compose"
    named = (f"{label}.project={shop.project}-new-staging", f"{label}.service=debug", f"{label}.oneoff=False")
    labels = (word for name in named for word in ("--label", name))
    image = shop.containers("new-staging", "nginx")[0]["Config"]["Image"]
    docker("run", "-d", *labels, image, "sleep", "300")
    down = shop.call("take-down", "staging", "--version", "sha-2")
    assert down.code == 0, down
    assert shop.containers("new-staging", "debug") == []
    rows = {row["name"]: (row["mark"], row["value"]) for row in down.result["preflight"]}
    mark, value = rows["volumes without a name"]
    assert (mark, value.startswith("nginx /nameless (")) == ("warned", True)
    assert rows["services beside the release"] == ("warned", "debug")
    docker("volume", "inspect", *docker("volume", "ls", "-q", "--filter", f"name={value[17:29]}").split())
