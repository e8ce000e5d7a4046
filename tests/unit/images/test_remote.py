"""What is read of an image in its registry, and what is not believed."""

import hashlib
import json
from typing import Any

import pytest

from ci_lib.domain.build import Remote
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import Denied
from ci_lib.images.registry import MEDIA_TYPES
from ci_lib.images.remote import remote_image
from ci_lib.ports.protocols import Response
from tests.fakes import FakeClock, FakeNet

BASE = "https://r.example/v2/api"
INDEX, MANIFEST = MEDIA_TYPES[0], MEDIA_TYPES[2]
COMMIT = "a1" * 20


class Pages:
    """A registry's documents, put under their digests."""

    def __init__(self) -> None:
        self.net = FakeNet()

    def put(self, where: str, content: Any, kind: str = MANIFEST, tag: str = "") -> str:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        answer = Response(status=200, headers={"content-type": kind}, body=body)
        for name in filter(None, (digest, tag)):
            self.net.pages[f"{BASE}/{where}/{name}"] = answer
        return digest

    def image(self, architecture: str, revision: str = COMMIT, tag: str = "", **more: Any) -> str:
        labels = {"org.opencontainers.image.revision": revision} if revision else None
        config = {"os": "linux", "architecture": architecture, "config": {"Labels": labels}} | more
        layer = {"digest": "sha256:" + "0" * 64, "size": 100}
        described = {"digest": self.put("blobs", config), "size": 11}
        return self.put("manifests", {"config": described, "layers": [layer, layer]}, tag=tag)

    def read(self) -> Remote:
        reference = Reference.parse("r.example/api:v1")
        return remote_image(reference, net=self.net, credentials=lambda _: Credential(), clock=FakeClock())


def test_an_image_for_one_platform() -> None:
    pages = Pages()
    digest = pages.image("arm", tag="v1", variant="v7")
    remote = pages.read()
    assert (remote.digest, remote.revisions) == (digest, {COMMIT})
    (variant,) = remote.variants
    assert (variant.platform, variant.digest, variant.size) == ("linux/arm/v7", digest, 211)


def test_an_index_has_a_digest_for_each_platform_and_attestations_are_none() -> None:
    pages = Pages()
    amd, arm = pages.image("amd64"), pages.image("arm64", revision="")
    entries = [{"digest": digest, "size": 1} for digest in (amd, arm)]
    said = {"digest": "sha256:" + "1" * 64, "size": 1}
    said |= {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    index = pages.put("manifests", {"manifests": [*entries, said]}, kind=INDEX, tag="v1")
    remote = pages.read()
    assert remote.digest == index
    assert [(variant.platform, variant.digest) for variant in remote.variants] == [
        ("linux/amd64", amd),
        ("linux/arm64", arm),
    ]
    assert remote.revisions == {COMMIT, ""}


def test_a_child_or_a_configuration_that_is_another_than_its_digest_is_not_believed() -> None:
    pages = Pages()
    digest = pages.image("amd64")
    pages.put("manifests", {"manifests": [{"digest": digest, "size": 1}]}, kind=INDEX, tag="v1")
    other = pages.net.pages[f"{BASE}/manifests/v1"]
    pages.net.pages[f"{BASE}/manifests/{digest}"] = other
    with pytest.raises(DeployError, match="sends a manifest with digest"):
        pages.read()
    pages = Pages()
    pages.image("amd64", tag="v1")
    (blob,) = (url for url in pages.net.pages if "/blobs/" in url)
    pages.net.pages[blob] = Response(status=200, body=b"{}")
    with pytest.raises(DeployError, match="sends something else than"):
        pages.read()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        {},
        {"manifests": {}},
        {"manifests": [1]},
        {"manifests": [{"digest": "latest", "size": 1}]},
        {"manifests": [{"digest": "sha256:" + "0" * 64}]},
        {"config": [], "layers": []},
        {"config": {"digest": "../../etc", "size": 1}, "layers": []},
        {"config": {"digest": "sha256:" + "0" * 64, "size": 1}, "layers": 5},
    ],
)
def test_what_is_no_image_is_told(content: Any) -> None:
    pages = Pages()
    pages.put("manifests", content, tag="v1")
    with pytest.raises(DeployError, match="is no image") as fault:
        pages.read()
    assert fault.value.reason is Reason.REGISTRY


def test_a_configuration_without_labels_or_of_another_shape_names_no_commit() -> None:
    for config in ({"config": None}, {"config": {"Labels": []}}, {"config": 5}):
        pages = Pages()
        pages.image("amd64", tag="v1", **config)
        assert pages.read().revisions == {""}


def test_a_registry_that_refuses_is_told_from_one_that_is_gone() -> None:
    pages = Pages()
    pages.net.pages[f"{BASE}/manifests/v1"] = Response(status=403)
    with pytest.raises(Denied):
        pages.read()


def test_one_login_serves_all_questions() -> None:
    pages = Pages()
    pages.image("amd64", tag="v1")
    wants = Response(status=401, headers={"www-authenticate": 'Basic realm="x"'})
    url = f"{BASE}/manifests/v1"
    pages.net.pages[url] = [wants, pages.net.pages[url]]
    pages.read()
    assert ["authorization" in {name.lower() for name in asked.headers} for asked in pages.net.requests] == [
        *(False, True, True)
    ]
