"""Unit tests touch nothing: no processes, no sockets, no waiting."""

import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import settings

# The same examples each time, and no limit on one of them: the machine may be busy.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")


def _refuse(what: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError(f"a unit test must not {what}: use a fake, or write an integration test")

    return refuse


# A module's fixture and not a test's, since hypothesis would warn about the latter.
@pytest.fixture(scope="module", autouse=True)
def _no_world() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", _refuse("start processes"))
        patch.setattr(socket, "socket", _refuse("open sockets"))
        patch.setattr(socket, "create_connection", _refuse("open sockets"))
        patch.setattr(time, "sleep", _refuse("sleep"))
        yield
