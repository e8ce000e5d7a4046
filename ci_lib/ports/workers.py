"""Several things at the same time, each in a thread."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """``Workers`` in threads that nobody waits for when the process ends.

    A pool of ``concurrent.futures`` would: a cancelled run could not end in time while a host is silent.
    """

    def run(self, jobs: Sequence[Callable[[], T]], *, at_once: int) -> Sequence[T | Exception]:
        """Do all ``jobs``; see ``Workers``. A single one is done in the calling thread."""
        if len(jobs) == 1:
            return (_outcome(jobs[0]),)
        results: list[T | Exception] = [RuntimeError("it did not come to its end")] * len(jobs)
        waiting, taking, stop = list(enumerate(jobs))[::-1], threading.Lock(), threading.Event()

        def work() -> None:
            while not stop.is_set():
                with taking:
                    if not waiting:
                        return
                    number, job = waiting.pop()
                results[number] = _outcome(job)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(jobs)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:  # a cancellation: what waits is not begun any more
            stop.set()
            raise
        return results


def _outcome(job: Callable[[], T]) -> T | Exception:
    try:
        return job()
    except Exception as error:
        return error
