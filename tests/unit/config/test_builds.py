"""`build:` of an image: its shape, its rules, and what needs buildx."""

from collections.abc import Callable

import pytest

from ci_lib.config.build import Build
from ci_lib.config.load import load

IMAGE = "api: {repository: ghcr.io/acme/api, services: [backend]}"
AT = "12: stacks.shop.images"


def image(build: str) -> str:
    return IMAGE.replace("[backend]", f"[backend], build: {{{build}}}")


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ("context: /etc", [f'{AT}.api.build.context: "/etc" must be a relative path, on one line']),
        ("dockerfile: ''", [f'{AT}.api.build.dockerfile: "" must be a relative path, on one line']),
        (
            "builder: classic, platforms: [linux/arm64], cache_to: [type=inline], secrets: {npm: NPM_TOKEN}",
            [
                f"{AT}.api.build.cache_to: needs buildx, and the builder is classic",
                f"{AT}.api.build.platforms: needs buildx, and the builder is classic",
                f"{AT}.api.build.secrets: needs buildx, and the builder is classic",
            ],
        ),
        (
            "builder: classic, cache_from: ['type=gha']",
            [f"{AT}.api.build.cache_from: needs buildx, and the builder is classic"],
        ),
        ("builder: classic, cache_from: [acme/api:main]", []),
        (
            "args: {SOURCE_DATE_EPOCH: '0'}",
            [f"{AT}.api.build.args.SOURCE_DATE_EPOCH: is given already: set it in the environment instead"],
        ),
        (
            "args: {A: '1'}, args_env: [A]",
            [f'{AT}.api.build.args.A: stands in "args_env" as well: keep one'],
        ),
        (
            "args_env: [DEPLOY_ACTIONS_PASSWORD]",
            [f'{AT}.api.build.args_env[0]: "DEPLOY_ACTIONS_PASSWORD" is an option of deploy-actions'],
        ),
        (
            "secrets: {x: DEPLOY_ACTIONS_PASSWORD}",
            [f'{AT}.api.build.secrets.x: "DEPLOY_ACTIONS_PASSWORD" is an option of deploy-actions'],
        ),
        ("tags: [main, main]", [f'{AT}.api.build.tags[1]: "main" is listed already']),
        ('cache_from: ["a\\nb"]', [f"{AT}.api.build.cache_from[0]: must be one line, and not empty"]),
        ("context: ../.., dockerfile: docker/api.Dockerfile", []),
    ],
)
def test_a_build_that_cannot_be_meant_is_a_mistake(
    build: str, expected: list[str], good: str, mistakes: Callable[[str], list[str]]
) -> None:
    found = mistakes(good.replace(IMAGE, image(build)))
    assert found == [f"deploy.yml:{line}" for line in expected]


def test_images_do_not_share_a_repository_and_processes_are_not_built(
    good: str, mistakes: Callable[[str], list[str]]
) -> None:
    second = "web: {repository: ghcr.io/acme/api, services: [nginx], build: {}}"
    (shared,) = mistakes(good.replace(IMAGE, f"{image('')}\n      {second}"))
    assert shared.startswith("deploy.yml:13: stacks.shop.images.web.build: is built into the repository of")
    process = good.replace("target: compose", "target: process").replace("compose: {source: shop}", "")
    process += "    process: {services: {backend: {command: [run]}}}\n"
    assert mistakes(process) == []
    (idle,) = mistakes(process.replace(IMAGE, image("")))
    assert idle.startswith('deploy.yml:12: stacks.shop.images.api.build: has no effect: the target "process"')


@pytest.mark.parametrize(
    "build",
    ["platforms: [linux]", "tags: ['a b']", "tags: [-x]", "target: '--push'", "secrets: {'a,env=B': C}"],
)
def test_what_would_be_an_option_or_two_is_refused_by_its_shape(
    build: str, good: str, mistakes: Callable[[str], list[str]]
) -> None:
    assert len(mistakes(good.replace(IMAGE, image(build)))) == 1


def test_an_image_without_build_is_not_built(good: str) -> None:
    assert load(good, name="deploy.yml").config.stacks["shop"].images["api"].build is None
    assert Build().beyond_classic == ()
