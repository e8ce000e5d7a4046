from collections.abc import Mapping
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.engine.choose import complete, references, rollback_target, versions
from ci_lib.engine.tools import Request
from ci_lib.records.ledger import Deployed
from tests.contract.fake_target import API, WEB, digest, image, settings
from tests.fakes import START

SHA = digest("x")


def asked(**request: Any) -> Mapping[str, str]:
    found = references(Request(verb=Verb.DEPLOY, **request), settings())
    return {name: str(reference) for name, reference in found.items()}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"version": "v1"}, {"api": f"{API}:v1", "web": f"{WEB}:v1"}),
        ({"version": "v1", "only": ("api",)}, {"api": f"{API}:v1"}),
        ({"version": "v1", "only": ("api", "api")}, {"api": f"{API}:v1"}),
        ({"version": "api:v1,web:v2"}, {"api": f"{API}:v1", "web": f"{WEB}:v2"}),
        ({"images": {"api": f"{API}:v1"}}, {"api": f"{API}:v1"}),
        ({"images": {"api": f"{API}@{SHA}"}}, {"api": f"{API}@{SHA}"}),
        (
            {"version": "v1", "images": {"api": f"{API}:v2@{SHA}"}},
            {"api": f"{API}:v2@{SHA}", "web": f"{WEB}:v1"},
        ),
    ],
)
def test_what_a_request_names(request_: dict[str, Any], expected: dict[str, str]) -> None:
    assert asked(**request_) == expected


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "nothing to deploy was named"),
        ({"version": "latest"}, "'latest' is not a version"),
        ({"version": "a b"}, "'a b' is not a version"),
        ({"version": "v1\n::error::x"}, "is not a version"),
        ({"version": "-x"}, "is not a version"),
        ({"version": "api:"}, "is not a version"),
        ({"version": "api:v1"}, "no version for image 'web'"),
        ({"version": "api:v1,wob:v2"}, "has no image 'wob'"),
        ({"version": "api:v1,api:v2"}, "names an image twice"),
        ({"version": "v1", "only": ("wbe",)}, "shop has no image 'wbe'"),
        ({"only": ("api",)}, "no version for image 'api'"),
        ({"images": {"": f"{API}:v1"}}, "--image without a name, but shop has 2 images"),
        ({"images": {"api": API}}, "has neither tag nor digest"),
        ({"images": {"api": f"{API}:latest"}}, "says 'latest'"),
        ({"images": {"api": f"{API}:latest@{SHA}"}}, "says 'latest'"),
        (
            {"images": {"api": "evil.example/acme/api:v1"}},
            "comes from ghcr.io/acme/api, not from evil.example",
        ),
        ({"images": {"api": f"{API}2:v1"}}, "comes from ghcr.io/acme/api"),
        ({"images": {"api": "../x:v1"}}, "is not an image reference"),
        ({"images": {"api": f"{API}:v1"}, "only": ("web",)}, "--only leaves out"),
    ],
)
def test_a_request_that_names_nothing_sensible_is_refused(
    request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageFault) as fault:
        asked(**request_)
    assert message in fault.value.message
    assert fault.value.hint or "twice" in message


def test_a_slip_in_a_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageFault) as fault:
        asked(version="v1", only=("wbe",))
    assert fault.value.hint == "did you mean 'web'?"
    with pytest.raises(UsageFault) as fault:
        asked(version="v1", only=("zzz",))
    assert fault.value.hint == "it has api, web"


def test_a_very_long_version_is_not_repeated_in_full() -> None:
    with pytest.raises(UsageFault) as fault:
        versions("x" * 100_000, ["api"])
    assert len(fault.value.message) < 200


def test_what_is_not_named_is_carried_forward() -> None:
    before = Release(images=(image("api", "v1"), image("web", "v1")))
    assert complete({"api": image("api", "v2")}, settings(), before) == (
        image("api", "v2"),
        image("web", "v1"),
    )
    with pytest.raises(UsageFault, match="image 'web' was not named, and nothing runs"):
        complete({"api": image("api", "v2")}, settings(), None)


def release(api: str, web: str = "", files: str = "") -> Release:
    return Release(images=(image("api", api), image("web", web or api)), files=files or f"{api}{web}")


def served(*releases: Release, bad: tuple[str, ...] = ()) -> list[Deployed]:
    return [
        Deployed(release=item, at=START, record_id=str(number), bad=item.version in bad)
        for number, item in enumerate(releases)
    ]


def back(pool: list[Deployed], current: Release | None, **request: Any) -> str:
    return rollback_target(Request(verb=Verb.ROLLBACK, **request), settings(), pool, current).version


POOL = served(release("v4"), release("v3", "v2"), release("v2"), release("v1"), bad=("v2",))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"last_good": True}, "api:v3,web:v2"),
        ({"version": "v1"}, "v1"),
        ({"version": "api:v3,web:v2"}, "api:v3,web:v2"),
        ({"version": "v4"}, "v4"),
        ({"version": release("v1").id}, "v1"),
        ({"version": release("v1").id[:12]}, "v1"),
        ({"version": "v1", "only": ("web",)}, "api:v4,web:v1"),
        ({"last_good": True, "only": ("web",)}, "api:v4,web:v2"),
    ],
)
def test_which_release_a_rollback_means(request_: dict[str, Any], expected: str) -> None:
    assert back(POOL, release("v4"), **request_) == expected


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "nothing to roll back to was named"),
        ({"version": "v9"}, "no release 'v9' ever served shop in staging"),
        ({"version": release("v1").id[:11]}, "ever served"),
        ({"version": "v1", "last_good": True}, "contradict each other"),
        ({"version": "v1;rm -rf"}, "is not a version"),
        ({"version": "v1", "only": ("nope",)}, "has no image 'nope'"),
    ],
)
def test_a_rollback_that_leads_nowhere_is_refused(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageFault, match=message.replace("(", r"\(")):
        back(POOL, release("v4"), **request_)


def test_last_good_with_nothing_but_the_present_is_refused() -> None:
    with pytest.raises(UsageFault, match="no earlier good release"):
        back(served(release("v1")), release("v1"), last_good=True)


def test_a_bad_release_is_refused_by_name_and_skipped_by_last_good() -> None:
    with pytest.raises(Refusal) as refused:
        back(POOL, release("v4"), version="v2")
    assert refused.value.reason is Reason.POLICY
    assert (
        back(served(release("v2"), release("v1"), bad=("v2",)), release("v4"), last_good=True) == "v1"
    )
