"""What goes into the evidence folder: files as bytes, masked and bounded, and a manifest of their hashes."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ci_lib.domain.outcome import Outcome, Packet
from ci_lib.domain.redact import Redactor
from ci_lib.domain.text import block, head, tail
from ci_lib.version import VERSION

MANIFEST_VERSION: Final = 1
FILE_LIMIT: Final = 1024 * 1024
"""Bytes of one file."""
LOG_LINES: Final = 2000
_TEXT_LIMIT: Final = 64 * 1024
_NOTICE: Final = "(cut here: the file is bounded)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Relative path → bytes, ``manifest.json`` among them, and that manifest's SHA-256."""

    files: Mapping[str, bytes]
    manifest_hash: str


def bundle(
    outcome: Outcome,
    records: Sequence[str],
    redact: Redactor,
    *,
    summary: str,
    more: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Everything that proves the outcome. ``records`` are ledger lines, ``summary`` is rendered already.

    ``more`` are further files, masked and bounded by whoever made them.
    The result in it has no ``manifest_hash``: the manifest covers the result, so the result cannot name it.
    """
    packet = outcome.packet or Packet()
    files = {
        "result.json": _json(redact.deep(outcome.as_json() | {"manifest_hash": ""})),
        "plan.json": _json(redact.deep(list(outcome.plan))),
        "checks.json": _json(
            redact.deep([check.as_json() for check in (*outcome.preflight, *outcome.checks)])
        ),
        "records.jsonl": _bounded("".join(_record(line, redact) + "\n" for line in records)),
        "summary.md": _bounded(summary),
        "packet.json": _json(redact.deep(_without_logs(packet))),
    }
    files |= dict(_logs(packet, redact)) | dict(more or {})
    manifest = _manifest(files)
    return Bundle(
        files=files | {"manifest.json": manifest}, manifest_hash=hashlib.sha256(manifest).hexdigest()
    )


def safe_name(text: str) -> str:
    """``text`` as one component of a path, on any file system and in any artifact store.

    What had to change gets a piece of its hash, so that different names stay different.
    """
    safe = re.sub(r"[^A-Za-z0-9_-]", "-", text)[:80]
    if safe == text and safe:
        return safe
    return f"{safe}-{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def _logs(packet: Packet, redact: Redactor) -> Iterator[tuple[str, bytes]]:
    for service in packet.services:
        if not service.lines:
            continue
        text = tail(block(redact(service.lines)), lines=LOG_LINES, size=FILE_LIMIT - 100)
        yield f"logs/{safe_name(service.service)}.log", f"{text}\n".encode()


def _without_logs(packet: Packet) -> dict[str, Any]:
    services = [{"service": s.service, "state": s.state, "health": s.health} for s in packet.services]
    return {"services": services, "disk": packet.disk}


def _record(line: str, redact: Redactor) -> str:
    """The line itself, byte for byte, when nothing in it is secret: its hash is part of the chain."""
    if redact(line) == line:
        return line
    try:
        return json.dumps(redact.deep(json.loads(line)), separators=(",", ":"))
    except ValueError:
        return redact(line)


def _json(data: object) -> bytes:
    text = json.dumps(_shortened(data), indent=2) + "\n"
    if len(text) > FILE_LIMIT:
        text = json.dumps({"left_out": f"{len(text)} bytes are more than the {FILE_LIMIT} allowed"}) + "\n"
    return text.encode()


def _shortened(data: object) -> object:
    if isinstance(data, str):
        return head(data, size=_TEXT_LIMIT, notice=_NOTICE) if len(data) > _TEXT_LIMIT // 4 else data
    if isinstance(data, Mapping):
        return {key: _shortened(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_shortened(item) for item in data]
    return data


def _bounded(text: str) -> bytes:
    return head(text, size=FILE_LIMIT, notice=_NOTICE).encode()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    listed = [
        {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for path, data in sorted(files.items())
    ]
    return _json({"schema_version": MANIFEST_VERSION, "tool_version": VERSION, "files": listed})
