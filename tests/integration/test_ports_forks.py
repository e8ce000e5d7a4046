"""Real copies of a process: what comes back from them, and what is left when one is killed or all are."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ci_lib.domain.errors import Cancelled, HostsFault, Refusal, StepFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.reasons import Exit, Reason
from ci_lib.ports.forks import Forks, processors
from ci_lib.ports.protocols import PortFault
from tests.integration.ports_support import is_zombie
from tests.lab.components import wait_for

ROOT = Path(__file__).resolve().parents[2]


def refused() -> int:
    row = CheckResult(name="chain", mark=Mark.FAILED, value="torn", bound="whole")
    raise Refusal("damaged", hint="compare", reason=Reason.CANNOT_DECIDE, rows=(row,))


def test_results_come_in_the_order_of_the_jobs_from_processes_of_their_own() -> None:
    found = Forks().run([os.getpid] * 5, at_once=2)
    assert len({os.getpid(), *found}) == 6
    assert Forks().run([partial(int, text) for text in "31415"], at_once=2) == [3, 1, 4, 1, 5]


def test_a_single_job_is_done_here() -> None:
    assert Forks().run([os.getpid], at_once=4) == (os.getpid(),)


def test_more_is_brought_back_than_a_pipe_holds() -> None:
    assert Forks().run([partial(bytes, 1 << 20)] * 2, at_once=2) == [bytes(1 << 20)] * 2


def test_a_refusal_comes_back_whole() -> None:
    fault, other = Forks().run([refused, refused], at_once=2)
    assert isinstance(fault, Refusal)
    assert (fault.message, fault.hint, fault.exit) == ("damaged", "compare", Exit.CANNOT_DECIDE)
    assert fault.rows[0].name == "chain"
    assert str(other) == "damaged"


def test_a_fault_that_is_made_of_others_comes_back_whole() -> None:
    def failed() -> int:
        raise HostsFault({"web1": StepFault("no", hint="look"), "web2": StepFault("nor here")})

    fault, _ = Forks().run([failed, failed], at_once=2)
    assert isinstance(fault, HostsFault)
    assert fault.message == "web1: no; web2: nor here"
    assert [one.message for one in fault.faults.values()] == ["no", "nor here"]


def test_a_killed_process_is_a_fault_and_no_result() -> None:
    def killed() -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return 7

    fault, number = Forks().run([killed, partial(int, "7")], at_once=2)
    assert isinstance(fault, PortFault)
    assert "killed by signal 9" in str(fault)
    assert number == 7


def _cancel(*_: object) -> None:
    raise Cancelled


@contextmanager
def cancelled_after(begun: int, readable: int) -> Iterator[list[int]]:
    """SIGTERM cancels this process, as it cancels a run, once so many have written their numbers."""
    numbers: list[int] = []

    def wait() -> None:
        numbers.extend(int(os.read(readable, 20)) for _ in range(begun))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, _cancel)
    waits = threading.Thread(target=wait, daemon=True)
    waits.start()
    try:
        yield numbers
    finally:
        waits.join(10)
        signal.signal(signal.SIGTERM, before)


def test_a_signal_right_behind_a_copy_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the machine would have it once in thousands: the copy is there, and nobody knows of it yet."""
    copies: list[int] = []
    fork = os.fork

    def cancelling() -> int:
        if number := fork():
            copies.append(number)
            os.kill(os.getpid(), signal.SIGTERM)
        return number

    monkeypatch.setattr(os, "fork", cancelling)
    before = signal.signal(signal.SIGTERM, _cancel)
    try:
        with pytest.raises(Cancelled):
            Forks().run([partial(time.sleep, 600), partial(time.sleep, 600)], at_once=2)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(copies) == 2
    left = [number for number in copies if not is_zombie(str(number))]
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert left == []


def test_a_cancelled_run_leaves_no_process_behind() -> None:
    readable, writable = os.pipe()

    def waits() -> None:
        os.write(writable, f"{os.getpid():20}".encode())
        time.sleep(600)

    with cancelled_after(2, readable) as numbers, pytest.raises(Cancelled):
        Forks().run([waits, waits], at_once=2)
    assert len(numbers) == 2
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


# Two jobs that outlive the process that was copied, and then have more to say than a pipe holds.
ORPHANS = """
import os, time
from ci_lib.ports.forks import Forks
parent = os.getpid()
def job():
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: a line and its end are two writes of `print`
    while os.getppid() == parent:
        time.sleep(0.01)
    return bytes(1 << 20)
Forks().run([job, job], at_once=2)
"""


def test_nobody_is_left_when_the_process_that_was_copied_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        numbers = [child.stdout.readline().decode().strip() for _ in range(2)]
        child.kill()
        wait_for(lambda: all(map(is_zombie, numbers)), "the end of the copies")


def test_what_cannot_be_brought_back_is_a_defect_and_no_want_of_memory() -> None:
    fault, number = Forks().run([threading.Lock, partial(int, "7")], at_once=2)
    assert isinstance(fault, TypeError)
    assert "cannot be pickled" in str(fault)
    assert number == 7


def test_work_is_not_shared_among_more_processors_than_there_are() -> None:
    assert 1 <= processors() <= min(8, len(os.sched_getaffinity(0)))
