"""Plans: the steps that will run, as data that can be printed, hashed and written to a journal."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from ci_lib.domain.images import Image, Release

_SHOWN = 4
"""Hosts that are named; more are counted."""


def some(hosts: Collection[str]) -> str:
    """Hosts as a person names them: all of a few, the first ones of many."""
    names = tuple(hosts)
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: _SHOWN - 1])} and {len(names) - _SHOWN + 1} more"


class StepKind(StrEnum):
    """What a step can be. A target says which of them it supports; ``ENGINE_KINDS`` need no target."""

    PREPARE = "prepare"
    PREFLIGHT = "preflight"
    PULL = "pull"
    BACKUP = "backup"
    PROVISION = "provision"
    MIGRATE = "migrate"
    SWITCH = "switch"
    AWAIT_SERVING = "await_serving"
    RESTORE = "restore"
    RESTORE_BACKUP = "restore_backup"
    STOP = "stop"
    START = "start"
    TAKE_DOWN = "take_down"
    RETAIN = "retain"
    PROVE = "prove"
    CHECK = "check"
    HOOK = "hook"


ENGINE_KINDS = frozenset({StepKind.PREFLIGHT, StepKind.PROVE, StepKind.CHECK, StepKind.HOOK})
"""Performed by the engine itself, so that no target can be lenient about them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. ``time_limit`` in seconds; ``undo`` runs, in its own order, when a later step fails.

    ``release`` is what the step is about, ``image`` narrows a pull to one image, ``args`` holds the few
    values a kind needs beside them (strings, numbers, lists of strings).

    A step that is done on several hosts at once has in ``args`` the key ``hosts``, host → the values it needs
    there, and ``each``, the seconds that each host has of the ``time_limit``; see ``ci_lib/plan/hosts.py``.
    """

    kind: StepKind
    host: str = ""
    release: Release | None = None
    image: Image | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    time_limit: float = 60.0
    undo: tuple["Step", ...] = ()

    @property
    def name(self) -> str:
        """How the step is called in logs, journal and summary."""
        args: Mapping[str, Any] = next(iter(self.args["hosts"].values())) if self.hosts else self.args
        subject = self.image.name if self.image else str(args.get("name", ""))
        where = f"on {some(self.hosts)}" if self.hosts else ""
        return " ".join(word for word in (str(self.kind), subject, where) if word)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it is done on at once; empty where the environment has one."""
        return tuple(self.args.get("hosts", ()))

    def on(self, host: str) -> Self:
        """What is done on one of its hosts."""
        return replace(self, host=host, args=self.args["hosts"][host], time_limit=self.args["each"])

    def among(self, hosts: Collection[str]) -> Self | None:
        """The step on those of its hosts that are among ``hosts``; None when there is none of them."""
        if not self.hosts:
            return self
        here = {name: args for name, args in self.args["hosts"].items() if name in hosts}
        return replace(self, args={**self.args, "hosts": here}) if here else None

    def as_json(self) -> dict[str, Any]:
        """The form used in journal and evidence."""
        return {
            "kind": str(self.kind),
            "host": self.host,
            "release": self.release.as_json() if self.release else None,
            "image": self.image.as_json() if self.image else None,
            "args": dict(self.args),
            "time_limit": self.time_limit,
            "undo": [step.as_json() for step in self.undo],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(
            kind=StepKind(data["kind"]),
            host=data["host"],
            release=Release.from_json(data["release"]) if data["release"] else None,
            image=Image.from_json(data["image"]) if data["image"] else None,
            args=data["args"],
            time_limit=data["time_limit"],
            undo=tuple(cls.from_json(step) for step in data["undo"]),
        )


Plan = tuple[Step, ...]

OPTIONAL = frozenset({StepKind.PREPARE, StepKind.PULL, StepKind.RETAIN})
"""The kinds that a target may leave to somebody else: a cluster fetches its images and keeps its history."""

CHANGING = frozenset(
    {
        StepKind.SWITCH,
        StepKind.RESTORE,
        StepKind.TAKE_DOWN,
        StepKind.STOP,
        StepKind.START,
        StepKind.RESTORE_BACKUP,
    }
)
"""The kinds that change what runs: once one of them has started, nothing is as it was."""

JOURNALLED = CHANGING | {StepKind.MIGRATE}
"""The kinds that whoever clears up has to know of."""

BLAMING = frozenset({StepKind.AWAIT_SERVING, StepKind.CHECK, StepKind.PROVE})
"""The kinds whose failure is the release's own fault, so that it is remembered as bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What a step has to say beside having succeeded. ``skipped``: there was nothing to do for it."""

    notes: tuple[str, ...] = ()
    skipped: bool = False
