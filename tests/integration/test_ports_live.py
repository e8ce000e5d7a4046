"""What `LiveRunner` promises, with real processes."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.errors import Cancelled
from ci_lib.ports import child, live
from ci_lib.ports.live import LiveRunner
from ci_lib.ports.protocols import PortFault, Watched
from tests.integration.ports_support import is_zombie
from tests.lab.components import wait_for

GRACE = 1.0
FOREVER = "while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def _a_shorter_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE", GRACE)
    monkeypatch.setattr(live, "GRACE", GRACE)


def watch(argv: Sequence[str], *, timeout: float = 10, **other: Any) -> tuple[Watched, list[str]]:
    """Run a command; return how it ended and what it told."""
    lines: list[str] = []
    return LiveRunner().run(argv, timeout=timeout, told=lines.append, **other), lines


def sh(script: str, *arguments: str | Path, **other: Any) -> tuple[Watched, list[str]]:
    return watch(["sh", "-c", script, "sh", *map(str, arguments)], **other)


@contextlib.contextmanager
def taking(at_least: float, less_than: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert at_least <= time.monotonic() - began < less_than


# What is told


def test_lines_of_both_outputs_come_in_the_order_in_which_they_were_written() -> None:
    watched, lines = sh("echo 1; echo 2 >&2; echo 3; echo 4 >&2; exit 3")
    assert (watched, lines) == (Watched(code=3), ["1", "2", "3", "4"])


def test_a_line_is_told_while_the_command_still_runs(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = 'echo begins; until [ -e "$1" ]; do sleep 0.02; done; echo ends'
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        told.touch()

    argv = ["sh", "-c", script, "sh", str(told)]
    assert LiveRunner().run(argv, timeout=10, told=tell) == Watched(code=0)
    assert lines == ["begins", "ends"]


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\r 10%\r 20%\rdone\n", [" 10%", " 20%", "done"]),
        (b"no end", ["no end"]),
        (b"no end\r", ["no end"]),
        (b"", []),
        (b"\n", [""]),
        (b"bad \xff byte\nhalf \xc3", ["bad \ufffd byte", "half \ufffd"]),
        ("ü €\n".encode(), ["ü €"]),
    ],
)
@pytest.mark.parametrize("size", [100, 1])
def test_what_is_printed_is_cut_into_lines_however_it_arrives(
    printed: bytes, lines: list[str], size: int
) -> None:
    told: list[str] = []
    cutter = live.Lines(told.append)
    for start in range(0, len(printed), size):
        cutter.feed(printed[start : start + size])
    cutter.close()
    assert told == lines


def test_a_progress_bar_is_told_before_it_moves_on() -> None:
    told: list[str] = []
    live.Lines(told.append).feed(b"10%\r")
    assert told == ["10%"]


def test_half_a_line_is_not_told_so_that_a_secret_in_it_can_be_masked() -> None:
    _, lines = sh("printf 'pass'; sleep 0.3; printf 'word\\n'")
    assert lines == ["password"]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    size = live.LONGEST_LINE
    _, lines = watch([sys.executable, "-c", f"print('x' * {2 * size + 5})"])
    assert [len(line) for line in lines] == [size, size, 5]
    _, lines = watch([sys.executable, "-c", f"print('x' * {size}, end='')"])
    assert [len(line) for line in lines] == [size]


def test_standard_output_is_captured_whole_and_the_errors_are_told() -> None:
    script = "import os, sys; os.write(1, b'\\xff\\r\\n' * 300000); print('error', file=sys.stderr)"
    watched, lines = watch([sys.executable, "-c", script], capture=True)
    assert (watched.code, lines) == (0, ["error"])
    assert watched.output == b"\xff\r\n" * 300000


def test_more_output_than_can_be_held_is_an_error_and_not_half_a_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "MOST_OUTPUT", 1 << 20)
    with taking(0, 5), pytest.raises(PortFault, match="yes printed more than 1 MiB"):
        watch(["yes"], capture=True)


def test_a_command_has_its_folder_its_variables_and_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "ours")
    _, lines = sh('pwd; echo "$OURS $MORE"; cat', cwd=str(tmp_path), env={"MORE": "more"})
    assert lines == [str(tmp_path), "ours more"]


# What cannot be started


def test_a_missing_program_has_the_exit_code_that_a_shell_gives() -> None:
    assert watch(["no-such-program"]) == (Watched(code=127), ["no-such-program: command not found"])


def test_a_file_that_is_no_program_has_the_exit_code_that_a_shell_gives(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    watched, lines = watch(["./text"], cwd=str(tmp_path))
    assert (watched, lines) == (Watched(code=126), ["./text: Permission denied"])


def test_a_missing_folder_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    watched, lines = watch(["true"], cwd=str(tmp_path / "none"))
    assert (watched, lines) == (Watched(code=125), [f"{tmp_path}/none: No such file or directory"])


def test_an_impossible_argument_is_told_as_such() -> None:
    with pytest.raises(PortFault, match="cannot be started"):
        watch(["echo", "a\0b"])


def test_a_command_that_a_signal_ended_says_which() -> None:
    watched, _ = sh("kill -9 $$")
    assert watched == Watched(code=128 + signal.SIGKILL)


# How it ends


def test_a_command_that_takes_too_long_may_have_last_words_and_never_counts_as_good() -> None:
    with taking(0.3, 0.3 + GRACE):
        watched, lines = sh(f"trap 'echo last words; exit 0' TERM; echo begins; {FOREVER}", timeout=0.3)
    assert watched == Watched(code=124, timed_out=True)
    assert (lines[0], lines[-1]) == ("begins", "last words")


def test_what_ignores_the_time_limit_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"trap \"\" TERM; sh -c 'echo $$; {FOREVER}' & wait"
    with taking(0.3 + GRACE, 3):
        watched, lines = sh(script, timeout=0.3)
    assert watched.timed_out
    wait_for(lambda: is_zombie(lines[0]), "the end of the grandchild")


def test_a_command_without_output_has_a_time_limit_too() -> None:
    with taking(0.3, 3):
        watched, _ = sh(f"exec >/dev/null 2>&1; {FOREVER}", timeout=0.3)
    assert watched.timed_out


def test_what_a_command_leaves_running_does_not_hang_us() -> None:
    with taking(GRACE, 3):
        watched, lines = sh(f"sh -c '{FOREVER}' & echo $!; exit 3")
    assert watched == Watched(code=3)
    assert lines[1].endswith("what it left running was ended")
    wait_for(lambda: is_zombie(lines[0]), "the end of what it left")


def test_what_a_command_leaves_running_in_a_session_of_its_own_does_not_hang_us() -> None:
    with taking(GRACE, 4):
        watched, lines = sh(f"setsid sh -c 'echo $$; {FOREVER}' & sleep 0.1; exit 3")
    assert watched == Watched(code=3)
    os.kill(int(lines[0]), signal.SIGKILL)


def test_what_is_still_printed_when_the_command_has_ended_is_told() -> None:
    _, lines = sh("(sleep 0.2; echo late) & echo early")
    assert lines == ["early", "late"]


def test_what_has_an_output_of_its_own_may_live_on() -> None:
    with taking(0, GRACE):
        _, lines = sh("sleep 30 >/dev/null 2>&1 & echo $!")
    os.kill(int(lines[0]), signal.SIGKILL)  # raises when it was not alive


def test_a_failing_listener_ends_the_command() -> None:
    def tell(_: str) -> None:
        raise BrokenPipeError("nobody listens")

    with taking(0, 3), pytest.raises(BrokenPipeError, match="nobody listens"):
        LiveRunner().run(["sh", "-c", f"echo 1; {FOREVER}"], timeout=10, told=tell)


# Cancelled


@pytest.fixture
def cancel_soon() -> Iterator[Callable[[], None]]:
    """Lets a signal arrive in a moment that raises `Cancelled` in the main thread, as a real one does."""

    def cancel(*_: object) -> None:
        raise Cancelled("SIGUSR1")

    before = signal.signal(signal.SIGUSR1, cancel)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
    yield timer.start
    timer.join()
    signal.signal(signal.SIGUSR1, before)


def test_a_cancel_ends_the_whole_group_and_passes_through(cancel_soon: Callable[[], None]) -> None:
    script = f"trap '' TERM; sh -c 'echo $$; {FOREVER}' & wait"
    pids: list[str] = []

    def tell(line: str) -> None:
        pids.append(line)
        cancel_soon()

    with taking(GRACE, 4), pytest.raises(Cancelled, match="SIGUSR1"):
        LiveRunner().run(["sh", "-c", script], timeout=30, told=tell)
    wait_for(lambda: is_zombie(pids[0]), "the end of the grandchild")


def test_several_commands_run_at_the_same_time_through_one_runner(tmp_path: Path) -> None:
    runner = LiveRunner()
    both = ["a", "b"]

    def meet(mine: str, other: str) -> list[str]:
        script = 'touch "$1"; until [ -e "$2" ]; do sleep 0.02; done; echo "met $2"'
        lines: list[str] = []
        argv = ["sh", "-c", script, "sh", mine, other]
        assert runner.run(argv, timeout=10, told=lines.append, cwd=str(tmp_path)) == Watched(code=0)
        return lines

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(meet, both, reversed(both))) == [["met b"], ["met a"]]


def test_stop_ends_all_that_runs_and_starts_nothing_any_more(tmp_path: Path) -> None:
    runner = LiveRunner()
    started = threading.Barrier(4)
    pids: list[str] = []

    def tell(line: str) -> None:
        pids.append(line)
        started.wait(10)

    scripts = [
        f"echo $$; {FOREVER}",
        f"trap '' TERM; echo $$; {FOREVER}",
        f"echo $$; exec >/dev/null 2>&1; {FOREVER}",
    ]
    with ThreadPoolExecutor(3) as pool:
        ends = [pool.submit(runner.run, ["sh", "-c", it], timeout=60, told=tell) for it in scripts]
        started.wait(10)
        with taking(0, 5):
            runner.stop()
            for end in ends:
                with pytest.raises(Cancelled):
                    end.result(10)
    assert len(pids) == 3
    assert all(is_zombie(pid) for pid in pids)
    with pytest.raises(Cancelled):
        runner.run(["touch", str(tmp_path / "never")], timeout=10, told=pids.append)
    assert not (tmp_path / "never").exists()
