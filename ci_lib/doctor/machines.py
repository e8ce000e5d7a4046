"""What the machines must have: tools on the runner, and hosts that answer and know what time it is."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from ci_lib.doctor.look import look_at
from ci_lib.domain.doctor import Row, Seen, missing, ok, unknown, weak
from ci_lib.domain.text import ago, one_line
from ci_lib.ports.protocols import Host

_LIMIT: Final = 30.0
MOST_SKEW: Final = 5.0
"""Seconds that a clock may be off: leases, records and verifications are dated by different machines."""

LEASE_SLACK: Final = 60.0
"""Seconds that a lease lasts beyond its step: a clock that is off by more gives a wrong picture of it."""

_TOOLS: Final[Mapping[str, Sequence[str]]] = {
    "git": ("git", "--version"),
    "ssh": ("ssh", "-V"),
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
}


def tool_rows(runner: Host, tools: Mapping[str, Iterable[str]]) -> Iterator[Row]:
    """A row for each tool of this machine: ``git``, ``ssh`` or ``docker`` → what it is there for."""
    for name, uses in tools.items():
        wanted = f"works, for {', '.join(uses)}"
        yield look_at(f"runner: {name}", wanted, partial(_works, runner, _TOOLS[name]))


def _works(runner: Host, argv: Sequence[str]) -> Seen:
    ran = runner.run(argv, timeout=_LIMIT)
    if not ran.ok:
        return missing(one_line(ran.said), f"`{argv[0]}` has to work on the machine that runs deploy-actions")
    return ok(one_line((ran.stdout or ran.stderr).strip(), 80) or "there")


def host_row(name: str, connect: Callable[[], Host]) -> Row:
    """Whether a host answers, is the one that is known, and runs commands for us."""
    return look_at(f"host {name}", "is the one that is known, and runs commands", lambda: _runs(connect()))


def _runs(host: Host) -> Seen:
    ran = host.run(("true",), timeout=_LIMIT)
    if not ran.ok:
        return missing(one_line(ran.said), "with `sudo: true`, does `sudo -n true` work there?")
    return ok("this machine" if host.local else "answers")


def clock_row(host: Host, now: Callable[[], datetime]) -> Row:
    """How far the clock of a host is off that we are connected to; ``now`` is this machine's, in UTC."""
    wanted = f"at most {MOST_SKEW:.0f} s off"
    return look_at(f"host {host.name}: clock", wanted, lambda: _clock(host, now))


def _clock(host: Host, now: Callable[[], datetime]) -> Seen:
    before = now().timestamp()
    ran = host.run(("date", "+%s"), timeout=_LIMIT)
    after, told = now().timestamp(), ran.stdout.strip()
    if not ran.ok or not _is_time(told):
        return unknown(f"`date +%s` says {one_line(ran.said, 80)!r}", "does its shell print a greeting?")
    # It tells whole seconds, and at some moment between our two.
    off = max(0.0, before - (int(told) + 1), int(told) - after)
    hint = "let both machines keep their time by NTP (`timedatectl` shows it)"
    if off > LEASE_SLACK:
        return missing(f"{ago(off)} off", hint)
    if off > MOST_SKEW:
        return weak(f"{ago(off)} off", hint)
    return ok("right")


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12
