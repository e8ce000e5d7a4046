"""Threads, met with events instead of waiting."""

import threading
from collections.abc import Callable

import pytest

from ci_lib.domain.errors import Cancelled
from ci_lib.ports.workers import Threads


def test_results_and_faults_come_in_the_order_of_the_jobs() -> None:
    later = threading.Event()

    def waits() -> str:
        assert later.wait(10)
        return "first"

    def sets() -> str:
        later.set()
        return "second"

    def fails() -> str:
        raise ValueError("third")

    first, second, third = Threads().run([waits, sets, fails], at_once=3)
    assert (first, second) == ("first", "second")
    assert isinstance(third, ValueError)


def test_no_more_are_at_work_than_may_be() -> None:
    at_work, most, counting = 0, 0, threading.Lock()
    together = threading.Barrier(2, timeout=10)

    def job() -> None:
        nonlocal at_work, most
        with counting:
            at_work += 1
            most = max(most, at_work)
        together.wait()
        with counting:
            at_work -= 1

    Threads().run([job] * 6, at_once=2)
    assert most == 2


def test_a_single_job_is_done_by_the_caller_so_that_a_signal_reaches_it() -> None:
    (thread,) = Threads().run([threading.current_thread], at_once=5)
    assert thread is threading.current_thread()

    def cancelled() -> None:
        raise Cancelled("SIGTERM")

    with pytest.raises(Cancelled):
        Threads().run([cancelled], at_once=5)


def test_after_a_cancellation_nothing_else_begins_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    held, begins = threading.Event(), threading.Event()

    def job(number: int) -> Callable[[], None]:
        def run() -> None:
            begun.append(number)
            begins.set()
            assert held.wait(10)

        return run

    workers: list[threading.Thread] = []

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        workers.append(thread)
        assert begins.wait(10)
        raise Cancelled("SIGTERM")

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(Cancelled):
        Threads().run([job(1), job(2)], at_once=1)
    monkeypatch.undo()
    held.set()
    workers[0].join(10)
    assert begun == [1]
