"""Digests from a real registry, by this machine and by the engine of a host."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images import registry as questions
from ci_lib.images.credentials import Credential, DockerCredentials
from ci_lib.images.on_host import resolve_on_host
from ci_lib.ports.local import LocalHost
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.system import SystemClock
from tests.integration.conftest import Require
from tests.lab.components import HOST, Daemon, Registry, docker, free_port
from tests.lab.images import Hello, build_hello, push

NET, CLOCK, MACHINE = RequestsNet({}), SystemClock(), LocalHost("here")


def resolve(reference: str, login: Credential | None = None) -> str:
    parsed = Reference.parse(reference)
    return questions.resolve_digest(parsed, net=NET, credentials=lambda _host: login, clock=CLOCK)


def on_host(reference: str) -> str:
    return resolve_on_host(Reference.parse(reference), host=MACHINE, timeout=60)


def reason(asking: object, reference: str) -> Reason:
    with pytest.raises(DeployError) as caught:
        asking(reference)  # type: ignore[operator]
    return caught.value.reason


def test_a_tag_is_the_digest_that_was_pushed(hello: Hello) -> None:
    digest = hello.push("rules/api", tag="sha-1")
    name = hello.reference("rules/api")
    assert resolve(f"{name}:sha-1") == digest
    assert resolve(f"{name}@{digest}") == digest
    assert resolve(f"{name}:any@{digest}") == digest


def test_a_moved_tag_is_another_digest_and_the_old_one_is_still_there(hello: Hello) -> None:
    name = hello.reference("rules/moved")
    first = hello.push("rules/moved", tag="sha-1")
    second = hello.push("rules/moved", tag="sha-1", version="sha-2")
    assert first != second
    assert resolve(f"{name}:sha-1") == second
    assert resolve(f"{name}@{first}") == first


def test_an_index_is_pinned_as_an_index_and_not_as_the_image_for_one_platform(
    hello: Hello, registry: Registry
) -> None:
    child = hello.push("rules/index", tag="child")
    kind = questions.MEDIA_TYPES[0]
    size = len(get(registry, f"/v2/rules/index/manifests/{child}"))
    entry = {
        "mediaType": questions.MEDIA_TYPES[3],
        "digest": child,
        "size": size,
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}).encode()
    put(registry, "/v2/rules/index/manifests/1", index, kind)
    assert resolve(f"{registry.address}/rules/index:1") == f"sha256:{hashlib.sha256(index).hexdigest()}"


def test_what_is_missing_is_told_apart_from_a_registry_that_is_gone(hello: Hello, registry: Registry) -> None:
    digest = hello.push("rules/gone", tag="sha-1")
    name = hello.reference("rules/gone")
    assert reason(resolve, f"{name}:sha-9") is Reason.IMAGE_MISSING
    assert reason(resolve, f"{hello.reference('rules/never')}:sha-1") is Reason.IMAGE_MISSING
    registry.delete("rules/gone", digest)
    assert reason(resolve, f"{name}@{digest}") is Reason.IMAGE_MISSING
    with registry.stopped():
        assert reason(resolve, f"{name}:sha-1") is Reason.REGISTRY


def test_the_engine_of_a_host_finds_the_same_digest(hello: Hello) -> None:
    digest = hello.push("rules/host", tag="sha-1")
    name = hello.reference("rules/host")
    assert on_host(f"{name}:sha-1") == digest
    assert on_host(f"{name}:sha-1@{digest}") == digest


def test_the_engine_knows_an_image_from_two_repositories_and_each_is_told_apart(hello: Hello) -> None:
    digest = hello.push("rules/one", tag="sha-1")
    assert hello.push("rules/two", tag="sha-1") == digest
    for repository in ("rules/one", "rules/two"):
        assert on_host(f"{hello.reference(repository)}:sha-1") == digest


def test_the_engine_of_a_host_says_what_is_missing(hello: Hello, registry: Registry) -> None:
    hello.push("rules/some", tag="sha-1")
    assert reason(on_host, f"{hello.reference('rules/some')}:sha-9") is Reason.IMAGE_MISSING
    assert reason(on_host, f"{hello.reference('rules/never')}:sha-1") is Reason.IMAGE_MISSING
    with registry.stopped():
        assert reason(on_host, f"{hello.reference('rules/some')}:sha-1") is Reason.REGISTRY


# --- a registry that wants a login ----------------------------------------------------------------------

# bcrypt of "s3cret"; the registry takes no other kind.
_PASSWORDS = "kim:$2b$04$j5Ph14EM8NJypkVK91h3DOzOElMFN/bK/L.pMoJwlo47JkjZoI.ee\n"


class LockedRegistry(Daemon):
    """A registry that lets in kim alone."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        (folder / "passwords").write_text(_PASSWORDS)
        config = folder / "config.json"
        content = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.address},
            "auth": {"htpasswd": {"realm": "lab", "path": str(folder / "passwords")}},
        }
        config.write_text(json.dumps(content))
        super().__init__(folder, ["docker-registry", "serve", config], self._answers)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 401
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def locked(require: Require, engine: None, tmp_path: Path) -> Iterator[LockedRegistry]:
    require("registry", Registry.missing())
    with LockedRegistry(tmp_path) as running:
        yield running


def test_a_login_that_docker_itself_wrote_opens_the_registry(
    locked: LockedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    login = ["docker", "login", "-u", "kim", "--password-stdin", locked.address]
    assert MACHINE.run(login, stdin=b"s3cret", timeout=30).ok
    digest = push(build_hello("good", "sha-1"), f"{locked.address}/private/api:sha-1")

    credentials = DockerCredentials(
        path=str(tmp_path / "docker/config.json"),
        read=MACHINE.read,
        run=lambda argv, stdin: MACHINE.run(argv, stdin=stdin, timeout=10),
    )
    assert credentials(locked.address) == Credential(username="kim", password="s3cret")
    name = f"{locked.address}/private/api:sha-1"
    assert resolve(name, credentials(locked.address)) == digest


@pytest.mark.parametrize("login", [None, Credential(username="kim", password="wr0ng")])
def test_without_the_right_login_nothing_is_told_and_nothing_shown(
    locked: LockedRegistry, login: Credential | None
) -> None:
    with pytest.raises(DeployError) as caught:
        resolve(f"{locked.address}/private/api:sha-1", login)
    assert caught.value.reason is Reason.REGISTRY
    assert "wr0ng" not in caught.value.message + caught.value.hint


def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-lab"
    helper.write_text(
        '#!/bin/sh\nread -r host || :\nprintf \'{"Username":"%s","Secret":"%s"}\' "$1" "$host"\n'
    )
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "lab"}')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    credentials = DockerCredentials(
        path=str(tmp_path / "config.json"),
        read=MACHINE.read,
        run=lambda argv, stdin: MACHINE.run(argv, stdin=stdin, timeout=10),
    )
    assert credentials("ghcr.io") == Credential(username="get", password="ghcr.io")


# --- what the tests themselves need ---------------------------------------------------------------------


def get(registry: Registry, path: str) -> bytes:
    address = f"http://{registry.address}{path}"
    return NET.request("GET", address, headers={"Accept": ", ".join(questions.MEDIA_TYPES)}, timeout=5).body


def put(registry: Registry, path: str, body: bytes, kind: str) -> None:
    connection = http.client.HTTPConnection(HOST, registry.port, timeout=5)
    connection.request("PUT", path, body=body, headers={"Content-Type": kind})
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 201, answer.status


def test_the_engine_can_pull_what_was_resolved(hello: Hello) -> None:
    hello.push("rules/pull", tag="sha-1")
    name = hello.reference("rules/pull")
    docker("pull", f"{name}@{resolve(f'{name}:sha-1')}")
