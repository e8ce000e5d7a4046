"""Pipes to somebody else's process, with a time limit for all of what goes through them."""

import io
import os
import selectors
import time
from collections.abc import Sequence
from contextlib import ExitStack

_CHUNK = 65_536


def left(deadline: float) -> float:
    """Seconds until a point of the monotonic clock; raises ``TimeoutError`` when it is over."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def new_pipe(stack: ExitStack) -> tuple[io.FileIO, io.FileIO]:
    """Return the reading and the writing end of a new pipe; ``stack`` closes what is still open of it."""
    reading, writing = os.pipe()
    return stack.enter_context(io.FileIO(reading)), stack.enter_context(io.FileIO(writing, "w"))


def exchange(feed: io.FileIO, data: bytes, outputs: Sequence[io.FileIO], deadline: float) -> list[bytes]:
    """Write ``data`` and the end of it, while reading every output to its end; return what they held.

    A reader that goes away early is fine. Raises ``TimeoutError`` when ``deadline`` is over.
    """
    os.set_blocking(feed.fileno(), False)  # or a write would wait until all of it fits
    rest = memoryview(data)
    read = [bytearray() for _ in outputs]
    with selectors.PollSelector() as waiting:
        waiting.register(feed, selectors.EVENT_WRITE)
        for output, so_far in zip(outputs, read, strict=True):
            waiting.register(output, selectors.EVENT_READ, so_far)
        while waiting.get_map():
            for key, _ in waiting.select(left(deadline)):
                if key.data is None:
                    rest = _written(feed, rest)
                    if not rest:
                        waiting.unregister(feed)
                        feed.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data.extend(chunk)
                else:
                    waiting.unregister(key.fd)
    return [bytes(each) for each in read]


def _written(feed: io.FileIO, rest: memoryview) -> memoryview:
    """Write as much as goes; return what is left to write."""
    try:
        return rest[os.write(feed.fileno(), rest[:_CHUNK]) :]
    except BrokenPipeError:
        return rest[:0]
