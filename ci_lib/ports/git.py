"""Calls of git: one environment for all of them, a time limit for each, and faults that say what git said.

Nothing of the user's own settings, hooks or credentials has an effect unless it is handed over here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ci_lib.domain.text import one_line
from ci_lib.ports.child import NO_PROGRAM, Finished, execute
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.system import environment

Settings = Sequence[tuple[str, str]]
"""Names and values of git's configuration; a later one beats, or adds to, an earlier one."""

LOCAL_LIMIT: Final = 60.0
"""Seconds for what needs no network."""

_KEPT: Final = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_PROMPTS: Final = ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE")
_ALONE: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_STRICT: Final[Settings] = (
    ("core.hooksPath", "/dev/null"),
    ("transfer.fsckObjects", "true"),
    ("http.sslVerify", "true"),
    ("http.followRedirects", "false"),  # or the login would go along to whom the server names
    ("credential.interactive", "false"),
    ("push.gpgSign", "false"),
    ("gc.auto", "0"),
)

# Lines that follow every failure of a remote and say nothing.
_PADDING: Final = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
    "fatal: the remote end hung up unexpectedly",
)
_NO_LOGIN: Final = re.compile(
    "could not read (Username|Password)|Authentication failed|Permission denied|returned error: 40[13]"
)


class Git:
    """git on the bare repository ``folder``; ``settings`` and ``env`` may hold secrets.

    They go by the environment, where only our own user and root can look, and never by the command line.
    """

    def __init__(self, folder: str, *, settings: Settings = (), env: Mapping[str, str] | None = None) -> None:
        self._env = {**bare_environment(), **_ALONE, **(env or {}), "GIT_DIR": folder}
        self._env |= as_environment((*settings, *_STRICT))

    def run(self, *words: str, stdin: bytes = b"", limit: float = LOCAL_LIMIT) -> Finished:
        """Run ``git WORDS``; raises ``TimedOut`` after ``limit`` seconds, its whole group ended."""
        return execute(["git", *words], stdin=stdin, timeout=limit, env=self._env, label=f"git {words[0]}")

    def demand(self, *words: str, stdin: bytes = b"") -> bytes:
        """Standard output of what must not fail."""
        done = self.run(*words, stdin=stdin)
        if done.code != 0:
            raise PortFault(f"git {words[0]} failed: {reason(done)}")
        return done.stdout


def bare_environment() -> dict[str, str]:
    """Our environment without what steers git: a hook, an editor or an earlier step may have set that."""
    return {
        name: value
        for name, value in environment().items()
        if (not name.startswith("GIT_") or name in _KEPT) and name not in _PROMPTS
    }


def as_environment(settings: Settings) -> dict[str, str]:
    """Settings as git (2.31 and newer) reads them from its environment; see git-config(1)."""
    made = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings):
        made |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return made


def reason(done: Finished) -> str:
    """What git said last that means something, the remote's own words included; fit to be shown."""
    if done.code == NO_PROGRAM:
        return "git is not installed on this machine"
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()]
    told = [line for line in lines if line and line not in _PADDING and line != "remote:"]
    said = one_line("; ".join(told[-3:])) or f"no output, exit code {done.code}"
    if _NO_LOGIN.search(said):
        return f"the login is missing, wrong, or may not do this (git: {said})"
    return said
