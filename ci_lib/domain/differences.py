"""What differs between what serves and what would: names of settings and files, never their values."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_WORD = re.compile(r"[\w-]+")


class How(StrEnum):
    """What becomes of a setting or file."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One setting (``backend.environment.LOG_LEVEL``) or file (``conf/nginx.conf``)."""

    name: str
    how: How

    def as_json(self) -> dict[str, str]:
        """The form that ``plan --json`` prints."""
        return {"name": self.name, "how": str(self.how)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What a candidate brings beside its images.

    ``unknown`` says what could not be compared, and why, a sentence each.
    """

    settings: tuple[Difference, ...] = ()
    files: tuple[Difference, ...] = ()
    unknown: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form that ``plan --json`` prints."""
        return {
            "settings": [item.as_json() for item in self.settings],
            "files": [item.as_json() for item in self.files],
            "unknown": list(self.unknown),
        }


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """The names whose hash is another one, in the order of the names."""
    return tuple(
        Difference(name=name, how=_how(before.get(name), after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def fingerprints(
    owner: str, settings: Mapping[str, Any], *, without: Iterable[str] = ()
) -> Mapping[str, str]:
    """``owner.key``, or ``owner.key.name`` where a setting is a mapping → SHA-256 of its JSON.

    ``owner`` is a name that ``named`` made, or one that cannot be mistaken for it.
    """
    kept = {key: value for key, value in settings.items() if key not in without}
    return {f"{owner}.{named(*path)}": _hash(value) for path, value in _leaves(kept)}


def named(*parts: str) -> str:
    """``parts`` with dots between; what is no plain word stands in quotes, so that no two are the same."""
    return ".".join(part if _WORD.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in parts)


def _leaves(settings: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from (((key, str(name)), item) for name, item in value.items())
        else:
            yield (key,), value


def _hash(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _how(before: str | None, after: str | None) -> How:
    if before is None:
        return How.ADDED
    return How.REMOVED if after is None else How.CHANGED
