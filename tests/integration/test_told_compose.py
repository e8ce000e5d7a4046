"""Which commit GitHub is told of, and asked about, for images in a real registry: their label's."""

from pathlib import Path

import pytest

from tests.integration.commits import ONE, TWO
from tests.integration.shop import Shop
from tests.integration.test_forge import Hub
from tests.integration.test_forge import hub as hub
from tests.integration.test_told_github import check
from tests.lab.components import docker
from tests.lab.images import LABEL, Hello, build_hello, push


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello, hub: Hub) -> Shop:
    made = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    hub.fake.world.run(9)
    return made


def labelled(shop: Shop, tag: str, commit: str) -> None:
    """Push a version whose image names its commit, where there is one."""
    recipe = shop.folder / "recipe"
    recipe.mkdir(exist_ok=True)
    (recipe / "Dockerfile").write_text(f"FROM {build_hello('nohealth', f'web-{tag}')}\n")
    name = f"deploy-actions-lab/labelled:{tag}"
    words = ("--quiet", "--label", f"{LABEL}=labelled", "--tag", name)
    more = ("--label", f"org.opencontainers.image.revision={commit}") if commit else ()
    docker("build", *words, *more, recipe)
    push(name, f"{shop.hello.reference('acme/web')}:{tag}")
    docker("image", "rm", name)


def test_an_older_version_is_promoted_and_its_own_commit_is_told(shop: Shop, hub: Hub) -> None:
    for tag, commit in (("v1", ONE), ("v2", TWO)):
        labelled(shop, tag, commit)
        assert shop.call("deploy", "staging", "--version", tag).code == 0
    shop.env = hub.environment
    assert shop.call("promote", "production", "--version", "v1").code == 0
    (record,) = hub.fake.world.deployments
    made = next(asked.body for asked in hub.fake.asked if asked.method == "POST")
    assert (record["sha"], record["environment"]) == (ONE, "production")
    assert made["production_environment"] is True
    (state,) = hub.fake.world.states[record["id"]]
    assert (state["state"], state["description"]) == ("success", "v1: shop deployed by promote")


def test_without_a_label_no_record_is_made_up(shop: Shop, hub: Hub) -> None:
    labelled(shop, "v1", "")
    shop.env = hub.environment
    deployed = shop.call("deploy", "staging", "--version", "v1")
    assert deployed.code == 0
    assert "github was not told: the commit of v1 is not known" in deployed.result["notes"][-1]
    assert hub.fake.world.deployments == []


@pytest.mark.parametrize(("commit", "why"), [(TWO, f"its tag says {ONE[:12]}, and its"), ("", "point")])
def test_a_green_commit_that_is_typed_in_front_of_another_image_lets_nothing_in(
    shop: Shop, hub: Hub, commit: str, why: str
) -> None:
    labelled(shop, f"sha-{ONE}", ONE)
    labelled(shop, "v2", commit)
    shop.stack = {"release": {"commit_checks": ["Gate"]}}
    shop.write()
    hub.fake.world.checks = [check("Gate", "success")]
    shop.env = hub.environment
    green = shop.call("deploy", "staging", "--version", f"sha-{ONE}")
    assert green.code == 0, green
    shop.stack = {}
    shop.write()
    red = shop.call("deploy", "staging", "--version", "v2").result["images"][0]["digest"]
    shop.stack = {"release": {"commit_checks": ["Gate"]}}
    shop.write()
    typed = f"web={shop.hello.reference('acme/web')}:sha-{ONE}@{red}"
    refused = shop.call("preflight", "staging", "--image", typed)
    assert (refused.code, refused.result["reason_code"]) == (11, "forge"), refused
    assert why in refused.result["failure"]["cause"]
