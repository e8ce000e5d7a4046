"""An index of several platforms and the image that it lists run the same program, and are two digests.

Who verified one of them has not verified the other: on a real registry and a real engine.
"""

import http.client
from pathlib import Path

import pytest

from ci_lib.domain.images import Reference
from ci_lib.images.registry import MEDIA_TYPES, resolve_digest
from tests.integration.proofs import Repository
from tests.integration.shop import Shop
from tests.lab.components import HOST, Registry, docker
from tests.lab.images import Hello

OCI_INDEX, LIST, _, DOCKER_IMAGE = MEDIA_TYPES


def index_of(repository: Repository, child: str, *, tag: str, kind: str = OCI_INDEX) -> str:
    """Push an index for this machine's platform that lists an image which `docker push` pushed."""
    server = docker("version", "--format", "{{.Server.Os}} {{.Server.Arch}}").split()
    platform = dict(zip(("os", "architecture"), server, strict=True))
    size = len(repository.registry.manifest(repository.at(child)).body)
    entry = {"mediaType": DOCKER_IMAGE, "digest": child, "size": size, "platform": platform}
    return repository.put(tag, kind, {"manifests": [entry]})


def test_the_digest_that_was_verified_is_deployed_and_no_other_of_the_same_program(
    tmp_path: Path, project: str, hello: Hello
) -> None:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    repository = Repository(hello.reference("acme/web"))
    child = hello.push("acme/web", tag="child-1", behaviour="nohealth", version="child-1")
    index = index_of(repository, child, tag="sha-1")

    staged = shop.call("deploy", "staging", "--version", "sha-1")
    assert staged.result["images"][0]["digest"] == index, staged
    refused = shop.call("promote", "production", "--image", f"web={repository.name}@{child}")
    assert (refused.code, refused.result["reason_code"]) == (10, "not_verified"), refused
    assert shop.containers("production", "nginx") == []
    promoted = shop.call("promote", "production", "--version", "sha-1")
    assert promoted.status == "deployed", promoted
    assert shop.digests("production", "nginx") == {f"{repository.name}:sha-1@{index}"}

    # The reverse: the tag was moved to an index of the very image that is verified.
    child = hello.push("acme/web", tag="sha-2", behaviour="nohealth", version="child-2")
    assert shop.call("deploy", "staging", "--version", "sha-2").result["images"][0]["digest"] == child
    index = index_of(repository, child, tag="sha-2")
    refused = shop.call("promote", "production", "--image", f"web={repository.name}@{index}")
    assert (refused.code, refused.result["reason_code"]) == (10, "not_verified"), refused
    assert shop.version("production", "nginx") == "child-1"


@pytest.mark.parametrize("kind", ["index", "list", "image"])
def test_what_is_resolved_is_what_docker_pulls_whatever_else_the_registry_would_answer(
    hello: Hello, registry: Registry, kind: str
) -> None:
    repository = Repository(hello.reference(f"rules/{kind}"))
    digest = child = hello.push(f"rules/{kind}", tag="1", behaviour="nohealth")
    if kind != "image":
        digest = index_of(repository, child, tag="1", kind=OCI_INDEX if kind == "index" else LIST)
    name = f"{repository.name}:1"
    printed = docker("pull", name)
    assert f"Digest: {digest}\n" in printed
    assert resolve_digest(Reference.parse(name), **repository.tools) == digest
    if kind == "list":  # the trap: for who accepts one kind alone it is another document
        assert answered(registry, f"/v2/rules/{kind}/manifests/1", DOCKER_IMAGE) == child != digest


def answered(registry: Registry, path: str, accept: str) -> str | None:
    """The digest that the registry names to who accepts this kind of manifest."""
    connection = http.client.HTTPConnection(HOST, registry.port, timeout=5)
    connection.request("HEAD", path, headers={"Accept": accept})
    answer = connection.getresponse()
    connection.close()
    return answer.getheader("Docker-Content-Digest")
