"""Which logins a build uses, and where its files must be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.build_logins import logins
from ci_lib.cli.build_places import places
from ci_lib.cli.console import Session
from ci_lib.config.models import ImageSettings, Stack
from ci_lib.domain.errors import ConfigFault, UsageFault
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.redact import Redactor
from ci_lib.images.credentials import Credential
from tests.fakes import FakeHost, FakeReporter

PUSHED = ["ghcr.io/acme/api"]
KIM = Credential(username="kim", password="s3cret")
NAMED = {
    "ghcr.io": {"username_env": "GHCR_USER", "password_env": "GHCR_TOKEN"},
    "base.example": {"username_env": "BASE_USER", "password_env": "BASE_TOKEN"},
}


def session(env: Mapping[str, str], reporter: FakeReporter) -> Session:
    nowhere: Any = None
    return Session(
        env=env,
        facts=CiFacts(provider="local", owner="x", actor="y"),
        redact=Redactor(),
        reporter=reporter,
        runner=FakeHost(),
        out=nowhere,
        err=nowhere,
    )


def asked(
    env: Mapping[str, str], username: str = "", pushed: list[str] = PUSHED, **registries: Any
) -> tuple[dict[str, Credential], FakeReporter]:
    stack = Stack.model_validate(
        {
            "target": "compose",
            "images": {"api": {"repository": PUSHED[0], "services": ["api"]}},
            "registries": registries,
        }
    )
    reporter = FakeReporter()
    return logins(session(env, reporter), stack, pushed, username), reporter


def test_without_any_login_docker_uses_its_own() -> None:
    assert asked({})[0] == {}


def test_the_input_is_for_the_registry_that_is_pushed_to_and_masked() -> None:
    found, reporter = asked({"DEPLOY_ACTIONS_PASSWORD": "s3cret"}, "kim")
    assert found == {"ghcr.io": KIM}
    assert ("mask", "s3cret") in reporter.said


def test_the_input_comes_before_what_deploy_yml_names() -> None:
    found, _ = asked({"DEPLOY_ACTIONS_PASSWORD": "s3cret"}, "kim", **NAMED)
    assert found == {"ghcr.io": KIM}


def test_a_registry_of_base_images_may_be_without_a_login_and_the_pushed_one_not() -> None:
    env = {"GHCR_USER": "kim", "GHCR_TOKEN": "s3cret"}
    assert asked(env, **NAMED)[0] == {"ghcr.io": KIM}
    both = asked(env | {"BASE_USER": "kim", "BASE_TOKEN": "s3cret"}, **NAMED)[0]
    assert both == {"ghcr.io": KIM, "base.example": KIM}
    with pytest.raises(ConfigFault, match="GHCR_TOKEN is not set"):
        asked({"GHCR_USER": "kim"}, **NAMED)


@pytest.mark.parametrize(
    ("env", "username", "pushed", "message"),
    [
        ({}, "kim", PUSHED, "without its password"),
        ({"DEPLOY_ACTIONS_PASSWORD": "s3cret"}, "", PUSHED, "without its user name"),
        ({"DEPLOY_ACTIONS_PASSWORD": "s3cret"}, "kim", [*PUSHED, "r.example/web"], "several registries"),
    ],
)
def test_a_login_that_is_not_clear_is_refused(
    env: Mapping[str, str], username: str, pushed: list[str], message: str
) -> None:
    with pytest.raises(UsageFault, match=message) as fault:
        asked(env, username, pushed)
    assert "s3cret" not in f"{fault.value}{fault.value.hint}"


def image(**build: str) -> dict[str, ImageSettings]:
    made = {"repository": PUSHED[0], "services": ["api"], "build": build}
    return {"api": ImageSettings.model_validate(made)}


def test_places_are_found_beside_deploy_yml_and_above_it_but_inside_the_repository(tmp_path: Path) -> None:
    below = tmp_path / "repo" / "ops"
    (below / "docker").mkdir(parents=True)
    for file in ("Dockerfile", "ops/docker/Dockerfile", "../Dockerfile"):
        (tmp_path / "repo" / file).write_text("FROM scratch\n")
    top = tmp_path / "repo"
    found = places(image(context=".."), below, top)
    assert found == {"api": (str(top), str(top / "Dockerfile"))}
    found = places(image(context="..", dockerfile="ops/docker/Dockerfile"), below, top)
    assert found == {"api": (str(top), str(below / "docker" / "Dockerfile"))}
    for build in ({"context": "../.."}, {"context": "..", "dockerfile": "../Dockerfile"}):
        with pytest.raises(ConfigFault, match="leads out of the repository"):
            places(image(**build), below, top)
    with pytest.raises(ConfigFault, match=r"api\.build\.context: the tree that is built has no ops/x"):
        places(image(context="x"), below, top)
    with pytest.raises(ConfigFault, match=r"dockerfile: the tree that is built has no ops/docker/x"):
        places(image(context="docker", dockerfile="x"), below, top)
