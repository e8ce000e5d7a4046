import json
from typing import Any

import pytest

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.on_host import resolve_on_host
from ci_lib.ports.protocols import Ran, Unreachable
from tests.fakes import FakeHost

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
API = "ghcr.io/acme/api"


def pulled(digest: str = DIGEST) -> Ran:
    return Ran(code=0, stdout=f"1: Pulling from acme/api\nDigest: {digest}\nStatus: Image is up to date\n")


def host(pull: Any, known: Any = (f"{API}@{DIGEST}",)) -> FakeHost:
    listing = known if isinstance(known, Ran) else Ran(code=0, stdout=json.dumps(known))
    return FakeHost(commands={("timeout",): pull, ("docker", "image", "inspect"): listing})


def fails(machine: FakeHost, reference: str = f"{API}:sha-1") -> DeployError:
    with pytest.raises(DeployError) as caught:
        resolve_on_host(Reference.parse(reference), host=machine, timeout=60)
    return caught.value


def test_the_pulled_digest_is_returned() -> None:
    machine = host(pulled())
    assert resolve_on_host(Reference.parse(f"{API}:sha-1"), host=machine, timeout=60) == DIGEST
    pull, inspect = machine.calls
    assert pull.argv == ("timeout", "-k", "5", "60", "docker", "pull", f"{API}:sha-1")
    assert pull.timeout > 65
    assert inspect.argv[-1] == f"{API}:sha-1"


def test_a_digest_decides_over_a_tag() -> None:
    machine = host(pulled())
    resolve_on_host(Reference.parse(f"{API}:sha-1@{DIGEST}"), host=machine, timeout=60)
    assert machine.calls[0].argv[-1] == f"{API}@{DIGEST}"


def test_docker_hub_images_are_known_by_their_short_name() -> None:
    machine = host(pulled(), [f"nginx@{DIGEST}"])
    assert resolve_on_host(Reference.parse("docker.io/library/nginx:1"), host=machine, timeout=60) == DIGEST


@pytest.mark.parametrize(
    "known",
    [
        [f"ghcr.io/fork/api@{DIGEST}"],
        [f"{API}@{OTHER}"],
        [],
        None,
        Ran(code=1, stderr="No such image"),
        Ran(code=0, stdout="nonsense"),
        Ran(code=0, stdout="3"),
    ],
)
def test_a_digest_that_is_not_known_in_this_repository_is_not_believed(known: Any) -> None:
    assert fails(host(pulled(), known)).reason is Reason.REGISTRY


@pytest.mark.parametrize("output", ["", "Digest: sha256:abc", "Digest: "])
def test_a_pull_that_names_no_digest_is_not_believed(output: str) -> None:
    assert fails(host(Ran(code=0, stdout=output))).reason is Reason.REGISTRY


def test_another_digest_than_asked_for_is_refused() -> None:
    machine = host(pulled(OTHER), [f"{API}@{OTHER}"])
    assert "instead of" in fails(machine, f"{API}@{DIGEST}").message


@pytest.mark.parametrize(
    "said",
    [
        "Error response from daemon: manifest for ghcr.io/acme/api:sha-1 not found: manifest unknown",
        'failed to resolve reference "ghcr.io/acme/api:sha-1": ghcr.io/acme/api:sha-1: not found',
    ],
)
def test_a_missing_image_is_told_as_such(said: str) -> None:
    assert fails(host(Ran(code=1, stderr=said))).reason is Reason.IMAGE_MISSING


@pytest.mark.parametrize(
    "pull",
    [
        Ran(code=124),
        Ran(code=127, stderr="timeout: docker: command not found"),
        Ran(code=1, stderr="pull access denied for x, repository does not exist or may require login"),
        Unreachable("web1 does not answer"),
    ],
)
def test_every_other_failure_is_the_registry_s(pull: Any) -> None:
    assert fails(host(pull)).reason is Reason.REGISTRY


def test_neither_tag_nor_digest_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageFault):
        resolve_on_host(Reference.parse(API), host=host(pulled()), timeout=60)
