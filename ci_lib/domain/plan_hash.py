"""The plan's hash: what a person approved, in a form that can be pasted and says which part differs.

64 hexadecimal digits are the SHA-256 of all parts, and decide. Behind a dash four digits of each part follow:
too few to prove anything, and enough to name the part that differs.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

PARTS = ("images", "files", "settings", "serving", "schema", "configuration", "steps")
"""What is hashed, in the order of the digits behind the dash."""

_DIGITS = 4
_FORM = re.compile(rf"[0-9a-f]{{64}}-[0-9a-f]{{{_DIGITS * len(PARTS)}}}")


def is_plan_hash(text: str) -> bool:
    """Whether ``text`` has the form of a plan's hash."""
    return _FORM.fullmatch(text) is not None


def plan_hash(parts: Mapping[str, Any]) -> str:
    """The hash of ``parts``, which holds JSON data for each of ``PARTS``."""
    hashes = [_hash(parts[name]) for name in PARTS]
    return f"{_hash(hashes)}-{''.join(item[:_DIGITS] for item in hashes)}"


def differing(one: str, other: str) -> tuple[str, ...]:
    """The names of the parts in which two plans differ, as far as their digits tell."""
    ours, theirs = (text.partition("-")[2] for text in (one, other))
    places = ((name, index * _DIGITS) for index, name in enumerate(PARTS))
    return tuple(name for name, at in places if ours[at : at + _DIGITS] != theirs[at : at + _DIGITS])


def _hash(data: Any) -> str:  # noqa: ANN401 - any JSON value
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
