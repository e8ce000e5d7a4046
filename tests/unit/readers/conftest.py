"""Real reports; ``recorded/README.md`` says where each comes from."""

from collections.abc import Callable
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], bytes]:
    return lambda name: (RECORDED / name).read_bytes()
