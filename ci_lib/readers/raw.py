"""From the bytes of a report to text and JSON, whatever the bytes are: anything unfit is ``Unreadable``."""

import json
from typing import Any, Final, NoReturn

from ci_lib.domain.gate import Unreadable

LIMIT: Final = 50 * 1024 * 1024
"""Bytes of the largest report that is read; parsed, it can take thirty times as much memory."""


def decoded(data: bytes, kind: str) -> str:
    """The text of a report; ``kind`` is what to call it in an error."""
    if len(data) > LIMIT:
        raise Unreadable(f"the {kind} report has {len(data) >> 20} MiB; up to {LIMIT >> 20} MiB are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"the {kind} report is not UTF-8: byte {error.start} is wrong") from None
    if not text.strip():
        raise Unreadable(f"the {kind} report is empty")
    return text


def json_object(text: str, kind: str) -> dict[str, Any]:
    """The one JSON object in ``text``. NaN and infinity, which JSON does not know, are refused."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise Unreadable(f"the {kind} report is nested too deeply") from None
    except ValueError as error:  # also a number of thousands of digits
        raise Unreadable(f"the {kind} report is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unreadable(f"the {kind} report is JSON, but not an object")
    return value


def objects(value: object, what: str, kind: str) -> list[dict[str, Any]]:
    """``value`` as a list of objects, which it must be; ``what`` names it in an error."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable(f"{what} in the {kind} report is not a list of objects")
    return value


def objects_if_any(value: object, what: str, kind: str) -> list[dict[str, Any]]:
    """As ``objects``, and an empty list for what the report leaves out."""
    return [] if value is None else objects(value, what, kind)


def member(value: object, *path: object) -> object:
    """What lies in ``value`` at the end of ``path``, keys and positions; None where there is no such way."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
