"""Pure computation, shared among the processors of this machine."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any, TypeVar

from ci_lib.ports.protocols import PortFault

T = TypeVar("T")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
"""What cancels a run, and what ends a wait: see ``ports/system.py``."""
_MOST = 8
"""A container sees all processors of its host, and may seldom use more."""


def processors() -> int:
    """How many processors a computation is worth to be shared among.

    One where processes cannot safely be copied: only Linux tells which processors a process may use.
    """
    usable = getattr(os, "sched_getaffinity", None)
    return min(_MOST, len(usable(0))) if usable else 1


class Forks:
    """``Workers`` in copies of this process: threads would take turns as long as they run Python.

    Jobs are handed over by being there when the process is copied; what they return or raise is pickled. They
    must compute only: a connection would be shared with the other copies, and with this process.
    """

    def run(self, jobs: Sequence[Callable[[], T]], *, at_once: int) -> Sequence[T | Exception]:
        """Do all ``jobs``; see ``Workers``. A single one is done in this process.

        The place of one whose process was killed holds a ``PortFault``. None outlives the call.
        """
        if len(jobs) == 1:
            return (_outcome(jobs[0]),)
        groups = [jobs[first : first + at_once] for first in range(0, len(jobs), at_once)]
        return [result for group in groups for result in _together(group)]


def _together(jobs: Sequence[Callable[[], T]]) -> list[T | Exception]:
    begun: list[tuple[ForkProcess, Connection]] = []
    try:
        with _uninterrupted():
            for job in jobs:
                begun.append(_begin(job, [results for _, results in begun]))
        return [_result(process, results) for process, results in begun]
    finally:
        for process, results in begun:
            process.kill()  # one that has ended is not there any more
            process.join()
            results.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put signals off until the end: one that came right behind a copy would leave it, known to nobody.

    Python calls handlers in the main thread alone, so that nowhere else there is anything to put off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)


def _begin(job: Callable[[], Any], others: list[Connection]) -> tuple[ForkProcess, Connection]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, theirs, [ours, *others]), daemon=True)
    with theirs:  # closed here, the end of the process is the end of what it says
        process.start()
    return process, ours


def _work(job: Callable[[], Any], results: Connection, readers: list[Connection]) -> None:
    """Do the job in a copy. ``readers`` were copied along: while it has them, it would wait for a reader."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)  # whoever cancels the run meets the process that was copied
    for reader in readers:
        reader.close()
    with suppress(BrokenPipeError):  # the process that was copied was killed
        results.send_bytes(_packed(_outcome(job)))


def _packed(result: object) -> bytes:
    try:
        return pickle.dumps(result)
    except Exception as error:  # a defect, and told as one: the traceback of a copy is not masked
        return pickle.dumps(TypeError(f"{type(result).__name__} cannot be pickled: {type(error).__name__}"))


def _result(process: ForkProcess, results: Connection) -> T | Exception:
    try:
        result: T | Exception = pickle.loads(results.recv_bytes())  # noqa: S301 - our own copy wrote it
        return result
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = f"killed by signal {-code}" if code < 0 else f"gone with exit code {code}"
        return PortFault(f"a process that shares the work is {how}; is there too little memory?")


def _outcome(job: Callable[[], T]) -> T | Exception:
    try:
        return job()
    except Exception as error:
        return error
