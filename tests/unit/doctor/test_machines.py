"""What the machines lack: tools, answers, the right time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from ci_lib.doctor.look import Untold
from ci_lib.doctor.machines import clock_row, host_row, tool_rows
from ci_lib.domain.doctor import Row, Standing
from ci_lib.domain.errors import ConfigFault
from ci_lib.ports.protocols import Host, Ran, TimedOut, UnknownHostKey, Unreachable
from tests.fakes import START, Call, FakeClock, FakeHost

OK, WEAK, MISSING, UNKNOWN = Standing.OK, Standing.WEAK, Standing.MISSING, Standing.UNKNOWN


def test_a_tool_that_works_and_one_that_does_not() -> None:
    runner = FakeHost(
        commands={
            ("git", "--version"): Ran(code=0, stdout="git version 2.47.3\n"),
            ("ssh", "-V"): Ran(code=0, stderr="OpenSSH_10.0p2\n"),
            ("docker",): Ran(code=127, stderr="docker: command not found\n"),
        }
    )
    found = list(tool_rows(runner, {"git": ["records"], "ssh": ["web1", "web2"], "docker": ["build of api"]}))
    assert [(row.name, row.seen.standing, row.seen.value, row.wanted) for row in found] == [
        ("runner: git", OK, "git version 2.47.3", "works, for records"),
        ("runner: ssh", OK, "OpenSSH_10.0p2", "works, for web1, web2"),
        ("runner: docker", MISSING, "docker: command not found", "works, for build of api"),
    ]


def test_a_tool_that_hangs_hides_no_other() -> None:
    fine = Ran(code=0, stdout="1\n")
    runner = FakeHost(commands={("git",): TimedOut("git took longer than 30 s"), ("ssh",): fine})
    found = tool_rows(runner, {"git": ["records"], "ssh": ["web1"]})
    assert [row.seen.standing for row in found] == [UNKNOWN, OK]


def host(said: Callable[[datetime], str], *, takes: float = 0.0) -> Row:
    """The row of a host that, asked for its time at this machine's `now`, answers what `said` gives."""
    clock = FakeClock()

    def date(_: Call) -> Ran:
        clock.sleep(takes / 2)
        text = said(clock.now())
        clock.sleep(takes / 2)
        return Ran(code=0, stdout=text)

    return clock_row(FakeHost(commands={("date", "+%s"): date}), clock.now)


def off(seconds: float, now: datetime) -> str:
    return f"{int((now + timedelta(seconds=seconds)).timestamp())}\n"


@pytest.mark.parametrize(
    ("seconds", "standing", "value"),
    [
        (0, OK, "right"),
        (5, OK, "right"),
        (-5, OK, "right"),
        (20, WEAK, "20 s off"),
        (-20, WEAK, "19 s off"),
        (90, MISSING, "1 min off"),
        (-7200, MISSING, "1 h off"),
        (10**9, MISSING, "11574 d off"),
    ],
)
def test_a_clock_that_is_off_is_found(seconds: int, standing: Standing, value: str) -> None:
    row = host(partial(off, seconds))
    assert (row.seen.standing, row.seen.value) == (standing, value)


def test_a_slow_line_is_not_taken_for_a_clock_that_is_off() -> None:
    assert host(partial(off, 0), takes=25).seen.standing is OK


@pytest.mark.parametrize("said", ["", "Welcome!\n", "9" * 5000, "٣٣", "-5", "1.5"])
def test_a_host_that_does_not_say_its_time_does_not_pass(said: str) -> None:
    row = host(lambda _: said)
    assert row.seen.standing is UNKNOWN
    assert "`date +%s` says" in row.seen.value


@pytest.mark.parametrize(
    ("fault", "standing"),
    [
        (Unreachable("host web1 cannot be reached: nothing listens on its SSH port"), UNKNOWN),
        (TimedOut("true on web1 took longer than 30 s"), UNKNOWN),
        (UnknownHostKey("host web1 shows another key"), MISSING),
        (ConfigFault("hosts.web1.known_hosts: there is no file ops/known_hosts"), MISSING),
        (Untold("cannot be asked: KEY is not set here"), UNKNOWN),
        (RuntimeError("a bug"), UNKNOWN),
    ],
)
def test_a_host_that_cannot_be_reached_says_why(fault: Exception, standing: Standing) -> None:
    def connect() -> Host:
        raise fault

    row = host_row("web1", connect)
    assert (row.name, row.seen.standing) == ("host web1", standing)
    assert str(fault) in row.seen.value


def test_a_host_that_hangs_after_the_login_does_not_pass() -> None:
    fake = FakeHost(commands={("date",): TimedOut("date took longer than 30 s")})
    row = clock_row(fake, lambda: START)
    assert (row.name, row.seen.standing) == ("host web1: clock", UNKNOWN)


def test_a_host_that_answers_has_to_run_commands_too() -> None:
    fake = FakeHost(
        commands={("true",): [Ran(code=0), Ran(code=1, stderr="sudo: a password is required\n")]}
    )
    found = [host_row("web1", lambda: fake).seen for _ in range(2)]
    assert [(seen.standing, seen.value) for seen in found] == [
        (OK, "answers"),
        (MISSING, "sudo: a password is required"),
    ]
