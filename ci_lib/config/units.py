"""Durations (``5s``, ``10m``, ``30d``) and percentages (``20%``) as deploy.yml writes them."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from ci_lib.config.patterns import DURATION, KINDS, PERCENT
from ci_lib.config.text import shown

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 3650 * 86400.0


def seconds(text: object) -> float:
    """Read ``5s``, ``1.5m``, ``2h`` or ``30d``, 3650 days at most.

    Raises ``ValueError`` otherwise: a bare number has no unit and is refused.
    """
    if not isinstance(text, str) or re.fullmatch(DURATION.rstrip("$"), text) is None:
        raise ValueError(f"{shown(text)} is not a duration: {KINDS[DURATION].rule}")
    value = round(float(text[:-1]) * _SECONDS[text[-1]], 3)
    if value > _LONGEST:
        raise ValueError(f"{shown(text)} is too long: 3650d is the longest duration")
    return value


def positive_seconds(text: object) -> float:
    """Read a duration longer than nothing: what is used up before it begins helps nobody."""
    value = seconds(text)
    if value == 0:
        raise ValueError(f"{shown(text)} is no time at all: write at least 0.001s")
    return value


def duration_text(value: float) -> str:
    """The reverse of ``seconds``: in the largest unit that gives a whole number, so 600.0 is ``10m``."""
    for unit in ("d", "h", "m"):
        count, rest = divmod(value, _SECONDS[unit])
        if count and not rest:
            return f"{count:.0f}{unit}"
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def percent(text: object) -> float:
    """Read ``20%`` as 20.0; raise ``ValueError`` otherwise."""
    if not isinstance(text, str) or re.fullmatch(PERCENT.rstrip("$"), text) is None:
        raise ValueError(f"{shown(text)} is not a percentage: {KINDS[PERCENT].rule}")
    return float(text[:-1])


def percent_text(value: float) -> str:
    """The reverse of ``percent``."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


_schema: dict[str, Any] = {"type": "string", "pattern": DURATION, "examples": ["5s", "10m", "30d"]}
_as_duration = PlainSerializer(duration_text, return_type=str, when_used="json")

Duration = Annotated[float, BeforeValidator(seconds), _as_duration, WithJsonSchema(_schema)]
"""Seconds; zero is allowed."""
TimeLimit = Annotated[
    float,
    BeforeValidator(positive_seconds),
    _as_duration,
    WithJsonSchema(_schema | {"not": {"pattern": r"^0+(\.0+)?[smhd]$"}}),
]
"""Seconds, more than none."""
Percent = Annotated[
    float,
    BeforeValidator(percent),
    PlainSerializer(percent_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PERCENT, "examples": ["20%"]}),
]
