"""Docker's configuration for one build."""

import json

import pytest

from ci_lib.builders.logins import log_in, private_config
from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.images.credentials import Credential
from ci_lib.ports.protocols import Ran
from tests.fakes import FakeHost

KIM = Credential(username="kim", password="s3cret")
LOGIN = ("docker", "login")


def test_the_password_goes_to_standard_input_and_the_file_is_private() -> None:
    host = FakeHost(commands={("sh", "-c"): Ran(code=0), LOGIN: Ran(code=0)})
    env = log_in({"r.example": KIM}, host=host, own="/home/kim/.docker", folder="/room/docker")
    assert env == {"DOCKER_CONFIG": "/room/docker"}
    link, login = host.calls
    assert link.argv[-2:] == ("/home/kim/.docker", "/room/docker")
    assert login.argv == ("docker", "login", "--username=kim", "--password-stdin", "r.example")
    assert (login.stdin, login.env) == (b"s3cret", env)
    assert host.modes == {"/room/docker/config.json": 0o600}


def test_without_logins_docker_keeps_its_own_configuration() -> None:
    assert log_in({}, host=FakeHost(), own="/home/kim/.docker", folder="/room/docker") == {}


def test_a_login_that_is_refused_is_told_without_the_password() -> None:
    refused = Ran(code=1, stderr="Error response from daemon: unauthorized")
    host = FakeHost(commands={("sh", "-c"): Ran(code=0), LOGIN: refused})
    with pytest.raises(
        DeployError, match=r"the login of kim to r\.example failed: Error .* unauthorized"
    ) as fault:
        log_in({"r.example": KIM}, host=host, own="/own", folder="/room/docker")
    assert fault.value.reason is Reason.REGISTRY
    assert "s3cret" not in f"{fault.value}{fault.value.hint}"


def test_a_login_never_reaches_a_key_chain_and_the_others_stay_as_they_are() -> None:
    own = {"credsStore": "pass", "credHelpers": {"ecr.example": "ecr"}, "auths": {"x": {}}}
    made = json.loads(private_config(json.dumps(own).encode(), ("r.example", "docker.io")))
    assert made == own | {
        "credHelpers": {"ecr.example": "ecr", "r.example": "", "https://index.docker.io/v1/": ""}
    }


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"credHelpers": []}'])
def test_a_broken_configuration_does_not_stop_a_login(broken: bytes) -> None:
    assert json.loads(private_config(broken, ("r.example",)))["credHelpers"] == {"r.example": ""}
