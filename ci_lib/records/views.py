"""The two text views for people and old scripts, in exactly the playbook's form.

``timestamp | stack | env | action | version | status | notes``: made from records, never read back. The
rule reads the ledger alone.
"""

import re
from collections.abc import Mapping
from typing import Any

from ci_lib.domain.reasons import GREEN, Verb
from ci_lib.records.bodies import moment

_ACTIONS = {str(Verb.PROMOTE): "deploy", str(Verb.FINALIZE): "rollback"}
_HARMFUL = re.compile(r"[|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_GREEN = frozenset(str(status) for status in GREEN)


def history_lines(body: Mapping[str, Any], *, stack: str, environment: str) -> tuple[str, ...]:
    """The log lines of an outcome; a release that came back by itself has a ``rollback`` line of its own.

    ``stack`` and ``environment`` are the names that the log uses for them.
    """
    when = _when(body)
    kind = str(body["type"])
    status = "success" if body["status"] in _GREEN else "fail"
    row = (when, stack, environment, _ACTIONS.get(kind, kind), str(body["version"]), status, _notes(body))
    lines = [_line(*row)]
    back = body.get("rollback")
    if back and kind not in (Verb.FINALIZE, Verb.RESTORE):
        ended = "success" if back["proved"] else "fail"
        what = "taking it down" if kind == Verb.TAKE_DOWN else str(body["version"])
        cause = f"automatic, after {what} failed"
        lines.append(_line(when, stack, environment, "rollback", back["version"] or "none", ended, cause))
    return tuple(lines)


def revocation_line(body: Mapping[str, Any], *, stack: str, environment: str) -> str:
    """The log line of a revocation, with the version as a person named it."""
    when = _when(body)
    return _line(when, stack, environment, "revoke", str(body["version"]), "success", str(body["reason"]))


def _when(body: Mapping[str, Any]) -> str:
    return moment(str(body["time"])).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _notes(body: Mapping[str, Any]) -> str:
    failure = body.get("failure") or {}
    parts = [
        f"forced: {body['forced']}" if body.get("forced") else "",
        f"checks skipped: {body['skipped']}" if body.get("skipped") else "",
        f"data of backup {body['backup']}: {body.get('reason', '')}" if body.get("backup") else "",
        f"lock of {body['lock_owner']}: {body.get('reason', '')}" if body.get("lock_owner") else "",
        str(body.get("reason", "")) if body["type"] == Verb.TAKE_DOWN else "",
        f"{failure['step']}: {failure['cause']}" if failure else "",
        "late" if body.get("late") else "",
    ]
    return "; ".join(part for part in parts if part)


def _line(*fields: str) -> str:
    return " | ".join(_field(field) for field in fields).rstrip() + "\n"


def _field(text: str) -> str:
    """One field: nothing in it may end the field, the line, or act on a terminal."""
    return _HARMFUL.sub("/", text)[:300]
