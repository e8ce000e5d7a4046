import socket
import subprocess
import time
from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    "act",
    [
        lambda: subprocess.run(["true"]),
        lambda: socket.create_connection(("localhost", 1)),
        lambda: time.sleep(0),
    ],
)
def test_a_unit_test_that_touches_the_world_is_stopped(act: Callable[[], object]) -> None:
    with pytest.raises(AssertionError, match="a unit test must not"):
        act()
