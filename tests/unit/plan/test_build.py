"""From deploy.yml, a commit and a version to orders."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ci_lib.config.models import Stack
from ci_lib.domain.build import Order, Source
from ci_lib.domain.errors import ConfigFault, DeployError, UsageFault
from ci_lib.domain.reasons import Reason
from ci_lib.plan.build import Site, chosen, orders, tag_for, version_of

COMMIT = "a1" * 20
SOURCE = Source(commit=COMMIT, time=1_700_000_000, url="https://git.example/acme/shop")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACES = {"api": ("/src/api", "/src/api/Dockerfile"), "web": ("/src/web", "/src/web/Dockerfile")}
SITE = Site(places=PLACES)


def stack(**images: Any) -> Stack:
    made = {
        name: {"repository": f"ghcr.io/acme/{name}", "services": [name]} | ({"build": build} if build else {})
        for name, build in images.items()
    }
    return Stack.model_validate({"target": "compose", "images": made})


def order(site: Site = SITE, source: Source = SOURCE, tag: str = "v1", **build: Any) -> Order:
    made = stack(api={"context": "api"} | build)
    return orders(chosen(made, (), "shop"), source, tag, site)[0]


def test_images_with_build_are_built_and_only_narrows_them_down() -> None:
    some = stack(api={"context": "a"}, web={"context": "w"}, redis=None)
    assert list(chosen(some, (), "shop")) == ["api", "web"]
    assert list(chosen(some, ("web",), "shop")) == ["web"]
    with pytest.raises(UsageFault, match="does not say how to `build:` the image 'redis'") as fault:
        chosen(some, ("redis",), "shop")
    assert fault.value.hint == "it builds: api, web"
    with pytest.raises(UsageFault, match="has no image 'wbe'"):
        chosen(some, ("wbe",), "shop")
    with pytest.raises(ConfigFault, match="no image of shop has `build:`"):
        chosen(stack(redis=None), (), "shop")


def test_the_version_is_the_commit_unless_it_is_named() -> None:
    assert tag_for(SOURCE, "", NOW) == f"sha-{COMMIT}"
    assert tag_for(SOURCE, "v1.2.3", NOW) == "v1.2.3"
    dirty = replace(SOURCE, changed=("app.py",))
    assert tag_for(dirty, "", NOW) == f"sha-{COMMIT}-dirty-20260102030405"
    for wrong in ("latest", "a b", "api:v1", "-x"):
        with pytest.raises(UsageFault):
            tag_for(SOURCE, wrong, NOW)


def test_the_version_is_told_as_deploy_takes_it() -> None:
    whole = stack(api={"context": "a"}, web={"context": "w"})
    assert version_of(whole, chosen(whole, (), "shop"), "v1") == "v1"
    assert version_of(whole, chosen(whole, ("web",), "shop"), "v1") == "web:v1"
    part = stack(api={"context": "a"}, redis=None)
    assert version_of(part, chosen(part, (), "shop"), "v1") == "api:v1"


def test_an_image_says_which_commit_it_is_and_when_that_was_made() -> None:
    made = order()
    assert made.labels == {
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.version": "v1",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.source": "https://git.example/acme/shop",
    }
    assert made.env == {
        "DEPLOY_VERSION": "v1",
        "DEPLOY_COMMIT": COMMIT,
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    assert made.args_env == ("SOURCE_DATE_EPOCH",)
    dirty = order(source=replace(SOURCE, url="", changed=("x",)))
    assert dirty.labels["org.opencontainers.image.revision"] == f"{COMMIT}-dirty"
    assert "org.opencontainers.image.source" not in dirty.labels


def test_the_callers_time_is_taken_before_the_commits() -> None:
    made = order(replace(SITE, epoch="0"))
    assert made.labels["org.opencontainers.image.created"] == "1970-01-01T00:00:00Z"
    for wrong in ("-1", "now", "9" * 30, "²", "1" * 5000):
        with pytest.raises(UsageFault, match="SOURCE_DATE_EPOCH"):
            order(replace(SITE, epoch=wrong))


def test_further_names_move_unless_an_old_commit_is_built() -> None:
    made = order(tags=["main", "v1"])
    assert made.names == ("ghcr.io/acme/api:main", "ghcr.io/acme/api:v1")
    assert order(replace(SITE, moving=False), tags=["main"]).names == ("ghcr.io/acme/api:v1",)


def test_buildx_is_used_where_it_is_and_where_it_is_wanted() -> None:
    absent = replace(SITE, buildx=False)
    assert order().buildx
    assert not order(absent).buildx
    assert not order(builder="classic").buildx
    for build in ({"builder": "buildx"}, {"platforms": ["linux/arm64"]}, {"cache_from": ["type=gha"]}):
        with pytest.raises(
            DeployError, match="asks for buildx, and Docker on this machine has none"
        ) as fault:
            order(absent, **build)
        assert fault.value.reason is Reason.BUILD
