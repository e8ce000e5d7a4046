"""A plan that is bound to its deploy, on a real engine: what refuses it, and that nothing is changed then."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shop import Called, Shop
from tests.lab.components import compose
from tests.lab.images import Hello

SECRET = "correct-horse-battery"


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    """v1 serves in staging, v2 is pushed; the service has a setting and a secret of the host's `.env`."""
    return served(Shop(folder=tmp_path, project=project, hello=hello, small=True))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_project: str, hello: Hello) -> Shop:
    """The same for the tests that deploy nothing; each begins with its sources and settings as they were."""
    folder = tmp_path_factory.mktemp("shared")
    return served(Shop(folder=folder, project=shared_project, hello=hello, small=True))


def served(made: Shop) -> Shop:
    settings = {"LOG_LEVEL": "${LOG_LEVEL:-info}", "API_TOKEN": "${API_TOKEN:-none}"}
    made.services = {"nginx": {**made.compose_services()["nginx"], "environment": settings}}
    made.write()
    made.run_dir("staging").mkdir(parents=True)
    made.release("v1")
    as_they_were(made)
    assert deploy(made, "v1").code == 0
    return made


def source(shop: Shop) -> Path:
    return shop.folder / "stacks" / "shop"


def dotenv(shop: Shop, level: str) -> None:
    (shop.run_dir("staging") / ".env").write_text(f"LOG_LEVEL={level}\nAPI_TOKEN={SECRET}\n")


def as_they_were(shop: Shop) -> Shop:
    """Put back what the tests of plans that deploy nothing change: source, settings, a tag, the job."""
    dotenv(shop, "info")
    (source(shop) / "site.conf").write_text("one")
    (source(shop) / "more.conf").unlink(missing_ok=True)
    shop.release("v2")
    shop.env = {}
    return shop


def deploy(shop: Shop, tag: str, *words: str) -> Called:
    return shop.call("deploy", "staging", "--version", tag, *words)


def plan(shop: Shop, tag: str = "v2", *words: str) -> dict[str, Any]:
    called = shop.call("plan", "staging", "--version", tag, *words)
    assert called.code == 0, called
    said = [line for line in called.err.splitlines() if not line.startswith("::add-mask::")]
    assert SECRET not in "\n".join([called.out, *said])
    return called.result


def everything(shop: Shop) -> tuple[Any, ...]:
    """What must not change when a deploy is refused, or only planned; lock and journal aside."""
    run = shop.run_dir("staging")
    files = {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and not path.name.startswith(("lease", "busy", "journal"))
    }
    containers = [(item["Id"], item["State"]["StartedAt"]) for item in shop.containers("staging", "nginx")]
    return files, containers


def refused(shop: Shop, approved: str, what: str) -> None:
    before = everything(shop)
    called = deploy(shop, "v2", "--plan-hash", approved)
    assert (called.code, called.status, called.result["reason_code"]) == (12, "refused", "policy"), called
    assert what in called.result["failure"]["cause"]
    assert everything(shop) == before


def test_what_was_approved_is_deployed_and_a_plan_changes_nothing(shop: Shop) -> None:
    before = everything(shop)
    first, second = plan(shop), plan(shop)
    assert everything(shop) == before
    assert first["plan_hash"] == second["plan_hash"]
    assert first["differences"] == {"settings": [], "files": [], "unknown": []}
    assert first["interruption"]["services"] == ["nginx"]

    called = deploy(shop, "v2", "--plan-hash", first["plan_hash"])
    assert (called.code, called.status) == (0, "deployed"), called
    assert shop.version("staging", "nginx") == "web-v2"
    assert any(first["plan_hash"] in note for note in called.result["notes"])


def test_a_tag_that_moved_since_is_refused(shared: Shop) -> None:
    shop = as_they_were(shared)
    approved = plan(shop)["plan_hash"]
    shop.hello.push("acme/web", tag="v2", behaviour="nohealth", version="web-other")
    refused(shop, approved, "what differs: the images, or why they may run")


def test_a_file_that_changed_since_is_named_by_the_plan_and_refused(shared: Shop) -> None:
    shop = as_they_were(shared)
    approved = plan(shop)["plan_hash"]
    (source(shop) / "site.conf").write_text("two")
    (source(shop) / "more.conf").write_text("new")
    changed = plan(shop)
    assert changed["differences"]["files"] == [
        {"name": "more.conf", "how": "added"},
        {"name": "site.conf", "how": "changed"},
    ]
    assert changed["plan_hash"] != approved
    refused(shop, approved, "what differs: the stack's files")


def test_a_setting_of_the_host_that_changed_since_is_named_and_refused(shared: Shop) -> None:
    shop = as_they_were(shared)
    approved = plan(shop)["plan_hash"]
    dotenv(shop, "debug")
    changed = plan(shop)
    assert changed["differences"]["settings"] == [{"name": "nginx.environment.LOG_LEVEL", "how": "changed"}]
    refused(shop, approved, "what differs: the settings of services")


def test_a_deploy_in_between_is_refused(shop: Shop) -> None:
    approved = plan(shop)["plan_hash"]
    shop.release("v3")
    assert deploy(shop, "v3").code == 0
    refused(shop, approved, "what differs: what serves now")
    assert deploy(shop, "v2", "--plan-hash", plan(shop)["plan_hash"]).code == 0


def test_what_somebody_runs_by_hand_since_is_refused(shop: Shop) -> None:
    approved = plan(shop)["plan_hash"]
    other = f"{shop.hello.reference('acme/web')}:v2"
    stranger = shop.folder / "by-hand"
    stranger.mkdir()
    services = {"nginx": {"image": other}}
    (stranger / "docker-compose.yml").write_text(json.dumps({"services": services}))
    compose(f"{shop.project}-staging", stranger, "up", "-d")
    changed = plan(shop)
    assert changed["services"][0]["runs_another_image"] is True
    refused(shop, approved, "what serves now")


def test_a_first_deploy_and_an_adopted_stack_have_plans_that_bind(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    shop.release("v1")
    first = plan(shop, "v1")
    assert (first["previous"], first["interruption"]["services"]) == (None, [])
    assert not shop.run_dir("staging").exists() or not list(shop.run_dir("staging").rglob("*.yml"))
    assert deploy(shop, "v1", "--plan-hash", first["plan_hash"]).code == 0

    run = tmp_path / "srv" / "stacks" / "shop-production"
    run.mkdir(parents=True)
    services = {"nginx": {"image": f"{hello.reference('acme/web')}:v1"}}
    (run / "docker-compose.yml").write_text(json.dumps({"services": services}))
    compose(f"{project}-production", run, "up", "-d")
    called = shop.call("plan", "production", "--version", "v1")
    assert called.code == 0, called
    found = called.result
    assert found["previous"]["adopted"] is True
    assert found["differences"]["files"] == [{"name": "docker-compose.yml", "how": "changed"}]
    assert "was not deployed by deploy-actions" in found["differences"]["unknown"][0]
    promoted = shop.call("promote", "production", "--version", "v1", "--plan-hash", found["plan_hash"])
    assert promoted.code == 0, promoted


def test_the_plan_of_a_job_stands_in_its_summary_and_its_hash_in_the_outputs(shared: Shop) -> None:
    shop = as_they_were(shared)
    page, outputs = shop.folder / "summary.md", shop.folder / "outputs"
    shop.env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page), "GITHUB_REPOSITORY": "acme/shop"}
    shop.env["GITHUB_OUTPUT"] = str(outputs)
    dotenv(shop, "debug")
    found = plan(shop)
    text = page.read_text()
    name, hashed, _ = outputs.read_text().splitlines()
    assert (name.partition("<<")[0], hashed) == ("plan-hash", found["plan_hash"])
    assert text.startswith("### Plan: shop staging `v1` → `v2`")
    assert "`nginx.environment.LOG_LEVEL` | changed" in text
    assert found["plan_hash"] in text
    assert SECRET not in text
    # A deploy that is handed no hash is bound to no plan, so that must not look like one that was made.
    shop.env["GITHUB_OUTPUT"] = str(shop.folder / "no" / "such" / "folder")
    assert shop.call("plan", "staging", "--version", "v2").code == 3
