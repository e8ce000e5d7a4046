import base64
import json
from typing import Any

import pytest

from ci_lib.domain.errors import DeployError
from ci_lib.images.credentials import Credential, DockerCredentials, config_path, parse_config, parse_helper
from ci_lib.ports.protocols import Ran
from tests.fakes import FakeHost

KIM = Credential(username="kim", password="s3:cret")
AUTH = {"auth": base64.b64encode(b"kim:s3:cret").decode()}


def parse(**content: Any) -> Any:
    return parse_config(json.dumps(content).encode())


def lookup(host: str, *, helpers: dict[tuple[str, ...], Ran] | None = None, **content: Any) -> Any:
    machine = FakeHost(files={"/c": json.dumps(content).encode()}, commands=dict(helpers or {}))
    found = DockerCredentials(
        path="/c", read=machine.read, run=lambda argv, stdin: machine.run(argv, stdin=stdin, timeout=10)
    )(host)
    return found, machine.calls


def test_docker_config_moves_the_file() -> None:
    assert config_path({"HOME": "/root"}) == "/root/.docker/config.json"
    assert config_path({"HOME": "/root", "DOCKER_CONFIG": ""}) == "/root/.docker/config.json"
    assert config_path({"HOME": "/root", "DOCKER_CONFIG": "/d"}) == "/d/config.json"


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://localhost:5000", "localhost:5000"),
    ],
)
def test_a_login_is_found_under_every_way_to_write_its_registry(key: str, host: str) -> None:
    assert parse(auths={key: AUTH}).auths == {host: KIM}


def test_an_empty_entry_is_no_login() -> None:
    assert parse(auths={"ghcr.io": {}}).auths == {}


def test_other_ways_to_keep_a_login_are_read() -> None:
    found = parse(
        auths={
            "a.io": {"username": "kim", "password": "s3:cret"},
            "b.io": AUTH | {"identitytoken": "tok"},
            "c.io": {"auth": base64.b64encode(b"kim:s3:cret\0\0").decode()},
        }
    )
    assert found.auths == {"a.io": KIM, "b.io": Credential(identity_token="tok"), "c.io": KIM}


def test_nothing_in_the_file_is_nothing() -> None:
    assert parse() == parse(auths=None, credHelpers=None, credsStore="")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"s3cret",
        b"[]",
        b'{"auths": "s3cret"}',
        b'{"auths": {"a.io": "s3cret"}}',
        b'{"auths": {"a.io": {"auth": "s3cret!"}}}',
        b'{"auths": {"a.io": {"auth": 3}}}',
        b'{"auths": {"a.io": {"auth": "c2VjcmV0"}}}',
        b'{"credsStore": "../s3cret"}',
        b'{"credsStore": ["s3cret"]}',
        b'{"credHelpers": {"a.io": "a b"}}',
        b'{"credHelpers": {"a.io": "-x"}}',
        b"[" * 200_000,
    ],
)
def test_a_broken_file_is_an_error_that_quotes_nothing(data: bytes) -> None:
    with pytest.raises(DeployError) as caught:
        parse_config(data)
    assert "s3cret" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_secrets_do_not_show_in_a_representation() -> None:
    shown = repr(Credential(username="kim", password="s3cret", identity_token="t0ken"))
    assert "s3cret" not in shown
    assert "t0ken" not in shown


def test_without_a_file_there_is_no_login() -> None:
    machine = FakeHost()
    assert DockerCredentials(path="/c", read=machine.read, run=lambda *_: Ran(code=1))("ghcr.io") is None


def test_a_login_in_the_file_needs_no_helper() -> None:
    assert lookup("ghcr.io", auths={"ghcr.io": AUTH}) == (KIM, [])
    assert lookup("quay.io", auths={"ghcr.io": AUTH}) == (None, [])


def answer(username: str, secret: str) -> Ran:
    return Ran(code=0, stdout=json.dumps({"ServerURL": "x", "Username": username, "Secret": secret}))


def test_a_helper_is_asked_on_standard_input() -> None:
    helpers = {("docker-credential-pass", "get"): answer("kim", "s3:cret")}
    found, calls = lookup("ghcr.io", helpers=helpers, credsStore="pass", auths={"ghcr.io": {}})
    assert found == KIM
    assert [(call.argv, call.stdin) for call in calls] == [(("docker-credential-pass", "get"), b"ghcr.io")]


def test_docker_hub_has_an_old_name_among_helpers() -> None:
    _, calls = lookup("docker.io", helpers={("docker-credential-x",): answer("a", "b")}, credsStore="x")
    assert calls[0].stdin == b"https://index.docker.io/v1/"


def test_a_registry_may_have_a_helper_of_its_own() -> None:
    helpers = {
        ("docker-credential-ecr-login",): answer("AWS", "p"),
        ("docker-credential-x",): answer("a", "b"),
    }
    found, _ = lookup("a.io", helpers=helpers, credsStore="x", credHelpers={"a.io": "ecr-login"})
    assert found == Credential(username="AWS", password="p")


def test_an_identity_token_is_known_by_its_user_name() -> None:
    assert parse_helper(answer("<token>", "tok").stdout, "x") == Credential(identity_token="tok")


def test_a_helper_that_knows_no_login_is_no_error() -> None:
    nothing = Ran(code=1, stdout="credentials not found in native keychain\n")
    assert lookup("a.io", helpers={("docker-credential-x",): nothing}, credsStore="x")[0] is None


def test_a_helper_that_fails_is_an_error() -> None:
    with pytest.raises(DeployError, match=r"docker-credential-x gave no login for a\.io: command not found"):
        lookup(
            "a.io",
            helpers={("docker-credential-x",): Ran(code=127, stderr="command not found")},
            credsStore="x",
        )


@pytest.mark.parametrize(
    "output", ["", "s3cret", "[]", '{"Username": "s3cret"}', '{"Username": 1, "Secret": 2}']
)
def test_a_helper_that_prints_something_else_is_an_error_that_quotes_nothing(output: str) -> None:
    with pytest.raises(DeployError) as caught:
        parse_helper(output, "docker-credential-x")
    assert "s3cret" not in str(caught.value)
