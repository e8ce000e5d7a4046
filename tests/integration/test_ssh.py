"""The same stack on a host behind SSH."""

from pathlib import Path

import pytest

from tests.integration.shop import Shop
from tests.lab.components import Sshd
from tests.lab.images import Hello


@pytest.fixture
def remote(tmp_path: Path, project: str, hello: Hello, sshd: Sshd) -> Shop:
    return remote_shop(tmp_path, project, hello, sshd)


def remote_shop(folder: Path, project: str, hello: Hello, sshd: Sshd) -> Shop:
    """The shop on a host that is reached as a CI runner reaches one: key in the environment, known keys."""
    host = {
        "ssh": f"{sshd.user}@{sshd.host}:{sshd.port}",
        "known_hosts": str(sshd.known_hosts),
        "key_env": "DEPLOY_KEY",
    }
    env = {"DEPLOY_KEY": sshd.private_key.read_text(), "SSH_AUTH_SOCK": ""}
    return Shop(folder=folder, project=project, hello=hello, host=host, env=env)


def test_the_three_scenarios_run_over_ssh(remote: Shop) -> None:
    remote.release("sha-1")
    staged = remote.call("deploy", "staging", "--version", "sha-1")
    assert (staged.code, staged.status) == (0, "deployed"), staged
    promoted = remote.call("promote", "production", "--version", "sha-1")
    assert (promoted.code, promoted.status) == (0, "deployed"), promoted
    assert remote.version("production", "backend") == "sha-1"

    remote.release("sha-wrong999", "unhealthy")
    refused = remote.call("promote", "production", "--version", "sha-wrong999")
    assert refused.code == 10, refused
    reason = ("--reason", "the playbook's second scenario")
    forced = remote.call(
        "promote", "production", "--version", "sha-wrong999", "--force", "sha-wrong999", *reason
    )
    assert (forced.code, forced.result["rollback"]["proved"]) == (20, True), forced
    assert remote.version("production", "backend") == "sha-1"

    remote.release("sha-2")
    assert remote.call("deploy", "staging", "--version", "sha-2").code == 0
    listed = remote.call("rollback", "staging", "--list").result
    assert [row["version"] for row in listed] == ["sha-2", "sha-1"]
    last = remote.call("rollback", "staging", "--last-good")
    assert (last.code, last.result["version"]) == (0, "sha-1"), last
    back = remote.call("rollback", "staging", "--version", "sha-2")
    assert (back.code, back.status) == (0, "deployed"), back
    down = remote.call("take-down", "staging", "--version", "sha-2")
    assert (down.code, down.result["reason_code"]) == (0, "down"), down
    assert [remote.containers("staging", name) for name in ("backend", "worker", "nginx", "init")] == [[]] * 4
    assert remote.version("production", "backend") == "sha-1"
    assert (remote.records / "deploy-history.log").read_text().count("\n") == 9
    assert remote.env["DEPLOY_KEY"][40:80] not in "".join(
        path.read_text() for path in (remote.folder / "evidence").rglob("*") if path.is_file()
    )


def test_an_unknown_host_key_stops_everything_with_exit_2(remote: Shop, sshd: Sshd) -> None:
    remote.host |= {"known_hosts": str(sshd.wrong_known_hosts)}
    remote.write()
    stopped = remote.call("deploy", "staging", "--version", "sha-1")
    assert (stopped.code, stopped.result["reason_code"]) == (2, "host_key"), stopped


def test_a_host_that_does_not_answer_stops_everything_with_exit_3(remote: Shop, sshd: Sshd) -> None:
    remote.release("sha-1")
    with sshd.stopped():
        stopped = remote.call("deploy", "staging", "--version", "sha-1")
    assert stopped.code in (3, 11), stopped
    assert "refused" in stopped.result["failure"]["cause"]
