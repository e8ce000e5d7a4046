"""From which commit images are: by their label, by a tag that points to them, or not known."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ci_lib.cli import commits
from ci_lib.cli.commits import commit_of, commits_of, origins_of, references_in
from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference
from ci_lib.ports.protocols import Response, TimedOut
from tests.fake_registry import FakeRegistry, sha
from tests.fakes import FakeClock

ONE, TWO = "a" * 40, "b" * 64
LABEL = "org.opencontainers.image.revision"
SESSION = cast("Session", None)


def settings(target: str = "compose", resolve: str = "runner") -> Resolved:
    images = {name: SimpleNamespace(resolve=resolve) for name in ("api", "web")}
    return cast("Resolved", SimpleNamespace(target=target, images=images))


def image(tag: str = "", digest: str = "sha256:" + "1" * 64) -> Reference:
    return Reference(repository="r.example/shop/api", tag=tag, digest=digest)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    made = FakeRegistry()
    access: Any = {"net": made, "credentials": lambda _host: None, "clock": FakeClock()}
    monkeypatch.setattr(commits, "registry_access", lambda _session, _settings: access)
    return made


def labelled(registry: FakeRegistry, labels: dict[str, str], tag: str = "v1") -> Reference:
    """An image with these labels, pushed with this tag; what it is called by."""
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}}).encode()
    registry.blobs[sha(config)] = config
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": "x", "digest": sha(config), "size": len(config)},
            "layers": [],
        }
    ).encode()
    registry.put(manifest, kind, tag)
    return image(tag, sha(manifest))


@pytest.mark.parametrize("commit", [ONE, TWO])
def test_a_tag_with_all_digits_says_it_of_the_image_that_it_points_to(
    registry: FakeRegistry, commit: str
) -> None:
    assert commit_of(SESSION, settings(), {"api": labelled(registry, {}, f"sha-{commit}")}) == commit


@pytest.mark.parametrize("tag", ["", "v1", f"sha-{ONE}", f"sha-{TWO[:12]}"])
def test_the_label_says_it_beside_every_tag_that_says_nothing_else(registry: FakeRegistry, tag: str) -> None:
    found = replace(labelled(registry, {LABEL: ONE}), tag=tag)
    assert commit_of(SESSION, settings(), {"api": found}) == ONE


def test_a_tag_that_says_another_commit_than_the_label_makes_it_unknown(registry: FakeRegistry) -> None:
    typed = replace(labelled(registry, {LABEL: ONE}), tag=f"sha-{TWO}")
    found = origins_of(SESSION, settings(), {"api": typed})["api"]
    assert (found.commit, found.why) == ("", f"its tag says {TWO[:12]}, and its label {ONE}")
    assert "its own tag" in found.hint


def test_a_tag_of_a_green_commit_in_front_of_another_images_digest_is_not_believed(
    registry: FakeRegistry,
) -> None:
    labelled(registry, {"of": "the green one"}, f"sha-{ONE}")
    typed = replace(labelled(registry, {"of": "the red one"}, f"sha-{TWO}"), tag=f"sha-{ONE}")
    found = origins_of(SESSION, settings(), {"api": typed})["api"]
    assert (found.commit, "does not point to that image" in found.why) == ("", True)


def test_a_tag_that_nobody_pushed_is_not_believed(registry: FakeRegistry) -> None:
    typed = replace(labelled(registry, {}), tag=f"sha-{ONE}")
    found = origins_of(SESSION, settings(), {"api": typed})["api"]
    assert (found.commit, f"has no image r.example/shop/api:sha-{ONE}" in found.why) == ("", True)


@pytest.mark.parametrize("label", [{}, {LABEL: "main"}, {LABEL: f"{ONE}-dirty"}, {LABEL: f"{ONE}\n"}])
def test_a_label_that_names_no_commit_says_nothing(registry: FakeRegistry, label: dict[str, str]) -> None:
    assert commit_of(SESSION, settings(), {"api": labelled(registry, label)}) == ""


def test_a_label_of_changed_files_is_not_made_good_by_the_tag(registry: FakeRegistry) -> None:
    found = labelled(registry, {LABEL: f"{ONE}-dirty"}, f"sha-{ONE}")
    assert commit_of(SESSION, settings(), {"api": found}) == ""


@pytest.mark.parametrize("tag", ["v1", f"sha-{ONE}", f"sha-{ONE[:12]}", f"sha-{ONE}-dirty", ONE, ""])
def test_of_an_image_that_the_registry_does_not_have_nothing_is_known(
    registry: FakeRegistry, tag: str
) -> None:
    assert commit_of(SESSION, settings(), {"api": image(tag)}) == ""


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (TimedOut("no answer within 15 s"), "does not answer: no answer within 15 s"),
        (Response(status=500), "500 Internal Server Error"),
        (Response(status=403), "refused"),
    ],
)
def test_a_registry_that_does_not_say_it_is_named_as_the_cause(
    registry: FakeRegistry, trouble: Response | TimedOut, why: str
) -> None:
    registry.trouble = lambda _: trouble
    found = origins_of(SESSION, settings(), {"api": image(f"sha-{ONE}")})["api"]
    assert found.commit == ""
    assert why in found.why
    assert "label" not in found.hint


@pytest.mark.parametrize("unreached", [settings("process"), settings(resolve="host")])
def test_where_no_registry_is_asked_from_here_the_tag_counts_if_it_is_found_to_point_there(
    registry: FakeRegistry, unreached: Resolved
) -> None:
    asked: list[tuple[str, Reference]] = []

    def resolve(name: str, reference: Reference) -> str:
        asked.append((name, reference))
        return "sha256:" + "1" * 64

    def commit(digest: str) -> str:
        named = {"api": image(f"sha-{ONE}", f"sha256:{digest * 64}")}
        return origins_of(SESSION, unreached, named, resolve)["api"].commit

    assert (commit("1"), commit("2")) == (ONE, "")
    assert asked[0] == ("api", Reference(repository="r.example/shop/api", tag=f"sha-{ONE}"))
    assert commit_of(SESSION, unreached, {"api": image(f"sha-{ONE}")}) == ONE, "nobody can look"
    assert registry.requests == []


def test_a_tag_that_cannot_be_looked_up_is_not_believed() -> None:
    def resolve(_: str, reference: Reference) -> str:
        raise UsageFault(f"no such build {reference.tag}", hint="build it")

    found = origins_of(SESSION, settings("process"), {"api": image(f"sha-{ONE}")}, resolve)["api"]
    assert (found.commit, found.why, found.hint) == ("", f"no such build sha-{ONE}", "build it")


@pytest.mark.parametrize(
    ("unreached", "name"),
    [(settings("process"), "api"), (settings(resolve="host"), "api"), (settings(), "left-the-file")],
)
def test_a_registry_that_is_not_there_or_not_reached_from_here_is_not_asked(
    registry: FakeRegistry, unreached: Resolved, name: str
) -> None:
    assert commits_of(SESSION, unreached, {name: labelled(registry, {LABEL: ONE})}) == {name: ""}
    assert registry.requests == []


def test_images_of_several_commits_have_none_in_common(registry: FakeRegistry) -> None:
    both = {"api": labelled(registry, {LABEL: ONE}), "web": labelled(registry, {LABEL: TWO})}
    assert commit_of(SESSION, settings(), both) == ""
    assert commits_of(SESSION, settings(), both) == {"api": ONE, "web": TWO}
    assert commit_of(SESSION, settings(), {}) == ""


def test_the_facts_of_a_release_name_its_images() -> None:
    text = json.dumps({"api": str(image("v1"))})
    assert references_in({"DEPLOY_IMAGES": text}) == {"api": image("v1")}
    assert references_in({"DEPLOY_IMAGES": "{}"}) == {}
