import pytest

from ci_lib.ports.protocols import PortFault, UnknownHostKey, Unreachable
from ci_lib.ports.ssh_faults import explain

CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key verification failed.
"""
UNKNOWN = """No ED25519 host key is known for [web1.example]:2222 and you have requested strict checking.
Host key verification failed.
"""
LEARN = (
    "Fetch the key with `ssh-keyscan -p 2222 web1.example`, compare its fingerprint with what "
    "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host itself, then put it into keys."
)


def fault(text: str) -> PortFault:
    return explain("web1", "deploy@web1.example", 2222, "keys", text)


def test_an_unknown_key_comes_with_the_way_to_learn_it() -> None:
    found = fault(UNKNOWN)
    assert isinstance(found, UnknownHostKey)
    assert str(found) == (
        "the key of host web1 (deploy@web1.example) is not in keys (ssh: No ED25519 host key is known for "
        f"[web1.example]:2222 and you have requested strict checking.). {LEARN}"
    )


def test_a_changed_key_is_told_from_an_unknown_one() -> None:
    found = fault(CHANGED)
    assert isinstance(found, UnknownHostKey)
    assert str(found) == (
        "host web1 (deploy@web1.example) shows another key than the one in keys: it was set up anew, or "
        f"somebody stands in between. {LEARN}"
    )


def test_the_port_is_named_only_where_there_is_one() -> None:
    found = explain("web1", "web1", None, "known", "Host key verification failed.")
    assert "`ssh-keyscan web1`" in str(found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("deploy@web1: Permission denied (publickey).", "it does not accept the key for this user"),
        ("Received disconnect: Too many authentication failures", "it does not accept the key for this user"),
        ("ssh: connect to host web1 port 22: Connection refused", "nothing listens on its SSH port"),
        ("ssh: connect to host web1 port 22: Connection timed out", "it does not answer in time"),
        ("Connection timed out during banner exchange", "it does not answer in time"),
        ("Timeout, server web1 not responding.", "it does not answer in time"),
        ("ssh: Could not resolve hostname web1: Name or service not known", "its name cannot be resolved"),
        ("ssh: connect to host web1 port 22: No route to host", "there is no route to it"),
        ("Connection closed by 10.0.0.1 port 22", "the connection was closed"),
        ("client_loop: send disconnect: Broken pipe", "the connection was closed"),
        ("kex_exchange_identification: read: Connection reset by peer", "the connection was closed"),
        ("/root/.ssh/config: line 3: Bad configuration option: nonsense", "ssh_config has a mistake"),
    ],
)
def test_what_ssh_says_becomes_a_reason(text: str, reason: str) -> None:
    found = fault(f"A banner\n{text}\n")
    assert isinstance(found, Unreachable)
    assert str(found) == f"host web1 (deploy@web1.example) cannot be reached: {reason} (ssh: {text})"


def test_the_last_telling_line_counts_and_not_a_banner() -> None:
    assert "nothing listens" in str(fault("Permission denied to all but staff\nConnection refused\nBye\n"))


def test_what_nobody_foresaw_is_quoted_harmlessly() -> None:
    assert str(fault("first\nodd \x1b[31mred\n\n")).endswith(r"cannot be reached: odd \x1b[31mred")


def test_silence_is_a_broken_connection() -> None:
    assert str(fault("")).endswith("cannot be reached: the connection broke")
