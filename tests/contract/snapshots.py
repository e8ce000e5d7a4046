"""Worlds that many tests begin with: played once, and each test is given a copy of its own."""

import pickle
from collections.abc import Callable, Hashable
from typing import TypeVar

W = TypeVar("W")


class Played:
    """What was played already, by key; what is played under a key has to be the same each time."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, bytes] = {}

    def copy(self, key: Hashable, play: Callable[[], W]) -> W:
        """What `play` returned the first time; copying takes a thirtieth of what playing takes."""
        if key not in self._kept:
            self._kept[key] = pickle.dumps(play(), pickle.HIGHEST_PROTOCOL)
        copy: W = pickle.loads(self._kept[key])
        return copy
