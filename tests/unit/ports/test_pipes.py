import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ci_lib.ports.pipes import exchange, left, new_pipe


def far() -> float:
    return time.monotonic() + 60


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_more_than_a_pipe_holds_goes_through_it(stack: ExitStack) -> None:
    """The end that is written to is that of the pipe which is read: nothing moves but by taking turns."""
    reading, writing = new_pipe(stack)
    os.write(writing.fileno(), b"so that the next write does not fit: ")
    data = bytes(range(256)) * 4096
    assert exchange(writing, data, [reading], far()) == [b"so that the next write does not fit: " + data]


def test_every_output_is_read_to_its_end(stack: ExitStack) -> None:
    reading, writing = new_pipe(stack)
    other, other_end = new_pipe(stack)
    os.write(other_end.fileno(), b"said before")
    other_end.close()
    assert exchange(writing, b"in", [reading, other], far()) == [b"in", b"said before"]


def test_a_reader_that_has_gone_is_no_fault(stack: ExitStack) -> None:
    gone, writing = new_pipe(stack)
    gone.close()
    output, output_end = new_pipe(stack)
    output_end.close()
    assert exchange(writing, b"x" * 100_000, [output], far()) == [b""]


def test_what_never_ends_is_given_up_when_its_time_is_over(stack: ExitStack) -> None:
    _, writing = new_pipe(stack)
    output, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        exchange(writing, b"", [output], time.monotonic() + 0.01)


def test_no_time_is_left_after_the_deadline() -> None:
    assert 0 < left(far()) <= 60
    with pytest.raises(TimeoutError):
        left(time.monotonic() - 1)


def test_the_ends_are_closed_with_the_stack() -> None:
    with ExitStack() as opened:
        ends = new_pipe(opened)
        ends[0].close()
    assert all(end.closed for end in ends)
