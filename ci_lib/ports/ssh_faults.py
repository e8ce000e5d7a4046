"""What ssh means by what it prints, in one clear sentence."""

import re

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault, UnknownHostKey, Unreachable
from ci_lib.ports.wording import last_line

_CHANGED_KEY = re.compile("REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY")
_UNKNOWN_KEY = re.compile("(No .* host key is known for.*)|Host key verification failed")

# The last line that says anything decides: before it come banners, which anybody may write.
_REASONS = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (
            "Permission denied|Too many authentication failures|no mutual signature",
            "it does not accept the key for this user",
        ),
        ("[Cc]ould not resolve hostname", "its name cannot be resolved"),
        ("Connection refused", "nothing listens on its SSH port"),
        ("No route to host|Network is unreachable", "there is no route to it"),
        ("timed out|not responding", "it does not answer in time"),
        ("[Bb]ad configuration option|Bad owner or permissions|missing argument", "ssh_config has a mistake"),
        (
            "[Cc]onnection (closed|reset)|Broken pipe|closed by remote host|[Dd]isconnect|kex_exchange",
            "the connection was closed",
        ),
    )
)


def explain(name: str, destination: str, port: int | None, known_hosts: str, text: str) -> PortFault:
    """Turn what ssh itself printed into the fault to raise; ``text`` may be empty."""
    if fault := host_key_fault(name, destination, port, known_hosts, text):
        return fault
    return Unreachable(f"host {name} ({destination}) cannot be reached: {_reason(text)}")


def host_key_fault(
    name: str, destination: str, port: int | None, known_hosts: str, text: str
) -> UnknownHostKey | None:
    """The fault of a host that is not the one we know, if that is what ssh complained about."""
    if _CHANGED_KEY.search(text):
        return UnknownHostKey(
            f"host {name} ({destination}) shows another key than the one in {known_hosts}: it was set up "
            f"anew, or somebody stands in between. {_how_to_learn(destination, port, known_hosts)}"
        )
    if unknown := _UNKNOWN_KEY.search(text):
        # Which key ssh looked for: with ProxyJump it may be the one of the host in between.
        said = f" (ssh: {one_line(unknown[1].strip(), 160)})" if unknown[1] else ""
        return UnknownHostKey(
            f"the key of host {name} ({destination}) is not in {known_hosts}{said}. "
            f"{_how_to_learn(destination, port, known_hosts)}"
        )
    return None


def _reason(text: str) -> str:
    for line in reversed(text.splitlines()):
        for pattern, sentence in _REASONS:
            if pattern.search(line):
                return f"{sentence} (ssh: {one_line(line.strip(), 160)})"
    return last_line(text) or "the connection broke"


def _how_to_learn(destination: str, port: int | None, known_hosts: str) -> str:
    host = destination.rpartition("@")[2].strip("[]")
    flag = f"-p {port} " if port else ""
    return (
        f"Fetch the key with `ssh-keyscan {flag}{host}`, compare its fingerprint with what "
        f"`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host itself, "
        f"then put it into {known_hosts}."
    )
