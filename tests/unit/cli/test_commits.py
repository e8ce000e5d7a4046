"""From which commit images are: by their tag, by their label, or not known."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ci_lib.cli import wiring
from ci_lib.cli.commits import commit_of, commits_of, references_in
from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Reference
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
    monkeypatch.setattr(wiring, "registry_access", lambda _session, _settings: access)
    return made


def labelled(registry: FakeRegistry, labels: dict[str, str]) -> Reference:
    """An image with these labels; what it is called by."""
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
    registry.put(manifest, kind, "v1")
    return image("v1", sha(manifest))


@pytest.mark.parametrize("commit", [ONE, TWO])
def test_a_tag_with_all_digits_says_it_and_no_registry_is_asked(registry: FakeRegistry, commit: str) -> None:
    assert commit_of(SESSION, settings(), {"api": image(f"sha-{commit}")}) == commit
    assert registry.requests == []


def test_else_the_label_says_it(registry: FakeRegistry) -> None:
    assert commit_of(SESSION, settings(), {"api": labelled(registry, {LABEL: ONE})}) == ONE


@pytest.mark.parametrize("label", [{}, {LABEL: "main"}, {LABEL: f"{ONE}-dirty"}, {LABEL: f"{ONE}\n"}])
def test_a_label_that_names_no_commit_says_nothing(registry: FakeRegistry, label: dict[str, str]) -> None:
    assert commit_of(SESSION, settings(), {"api": labelled(registry, label)}) == ""


@pytest.mark.parametrize("tag", ["v1", f"sha-{ONE[:12]}", f"sha-{ONE}-dirty", ONE, ""])
def test_of_an_image_that_the_registry_does_not_have_nothing_is_known(
    registry: FakeRegistry, tag: str
) -> None:
    assert commit_of(SESSION, settings(), {"api": image(tag)}) == ""


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
    both = {"api": image(f"sha-{ONE}"), "web": image(f"sha-{TWO}")}
    assert commit_of(SESSION, settings(), both) == ""
    assert commits_of(SESSION, settings(), both) == {"api": ONE, "web": TWO}
    assert commit_of(SESSION, settings(), {}) == ""


def test_the_facts_of_a_release_name_its_images() -> None:
    text = json.dumps({"api": str(image("v1"))})
    assert references_in({"DEPLOY_IMAGES": text}) == {"api": image("v1")}
    assert references_in({"DEPLOY_IMAGES": "{}"}) == {}
