"""The outcome for a terminal or a log: a handful of lines, no colours, no Markdown."""

from functools import partial

from ci_lib.domain.outcome import Mark, Outcome
from ci_lib.domain.reasons import REASONS, Reason
from ci_lib.domain.schema import SchemaChange
from ci_lib.domain.text import duration, one_line
from ci_lib.report.facts import checks_passed, short
from ci_lib.report.hosts import host_line
from ci_lib.report.verdict import VERSION_WIDTH, verdict


def mark(outcome: Outcome) -> Mark:
    """The sign that belongs before the verdict."""
    return Mark.PASSED if outcome.green else Mark.FAILED


def terminal(outcome: Outcome) -> tuple[str, ...]:
    """The verdict first, then why, what next, what was overridden, and where the rest is."""
    pairs = [
        ("why", outcome.failure.cause if outcome.failure else REASONS[outcome.reason][1]),
        ("next", outcome.failure.hint if outcome.failure else ""),
        ("going back", outcome.rollback.cause if outcome.rollback else ""),
        *(("override", text) for text in outcome.overrides),
        *(("note", text) for text in outcome.notes),
        *(("image", _image(outcome, index)) for index in range(len(outcome.changes))),
        *(("host", host_line(row)) for row in outcome.hosts),
        ("schema", _schema(outcome.schema)),
        ("checks", checks_passed(outcome.checks)),
        ("took", duration(outcome.seconds)),
        ("owner", outcome.owner),
        ("ledger", outcome.ledger_head),
        ("evidence", outcome.evidence_path),
    ]
    lines = [f"  {name + ':':<11} {one_line(_joined(text), 600)}" for name, text in pairs if text]
    return (verdict(outcome, partial(one_line, limit=VERSION_WIDTH)), *lines)


def _schema(change: SchemaChange | None) -> str:
    if change is None:
        return ""
    after = change.after.label if change.after else "cannot be read"
    return after if after == change.before.label else f"{change.before.label} → {after}"


def _joined(text: str) -> str:
    """The lines of ``text`` as a list in one sentence: several mistakes of deploy.yml are one cause."""
    return "; ".join(line.strip() for line in text.split("\n") if line.strip())


def _image(outcome: Outcome, index: int) -> str:
    change = outcome.changes[index]
    if outcome.reason is Reason.DOWN:
        return f"{change.image.name} {short(change.image.digest)} ({change.image.label}) → nothing"
    before = f"{short(change.previous_digest)} → " if change.previous_digest else ""
    return f"{change.image.name} {before}{short(change.image.digest)} ({change.image.label})"
