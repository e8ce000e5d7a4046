"""The job summary: an outcome as Markdown, the verdict first, the rest folded."""

from datetime import datetime
from functools import partial
from typing import Final

from ci_lib.domain.outcome import Change, CheckResult, Mark, Outcome
from ci_lib.domain.reasons import REASONS, Exit, Reason, Status, Verb
from ci_lib.domain.schema import SchemaChange
from ci_lib.domain.text import code, duration, head, markdown
from ci_lib.report.build import builds, digests
from ci_lib.report.facts import checks_passed, short
from ci_lib.report.gate import gate
from ci_lib.report.hosts import hosts
from ci_lib.report.markdown import bullets, details, link, table
from ci_lib.report.packet import packet
from ci_lib.report.verdict import ICONS, VERSION_WIDTH, verdict

SIZE_LIMIT: Final = 900 * 1024
"""Bytes; GitHub takes 1 MiB a step, and other tools may have written into the same page."""

_MARKS: Final = {Mark.PASSED: "✅", Mark.FAILED: "❌", Mark.WARNED: "⚠️", Mark.SKIPPED: "⏭️ skipped"}
_SERVING: Final = frozenset({Verb.DEPLOY, Verb.PROMOTE, Verb.ROLLBACK, Verb.POST_VERIFY})
_CUT: Final = "**Cut here: the evidence holds the rest.**"


def summary(outcome: Outcome, *, now: datetime) -> str:
    """The whole page, under ``SIZE_LIMIT``; ``now`` is when the run ended, in UTC.

    The outcome must be masked already (``Redactor.deep``): an escaped secret is no longer recognised.
    """
    sections = (
        _verdict(outcome),
        _why(outcome),
        _overrides(outcome),
        _overview(outcome, now),
        _images(outcome),
        hosts(outcome.hosts),
        gate(outcome.jobs),
        builds(outcome.builds),
        _schema(outcome.schema),
        _rule(outcome.rule),
        _checks(outcome.checks),
        _preflight(outcome.preflight),
        bullets([markdown(note, 1000) for note in outcome.notes]),
        _steps(outcome),
        _records(outcome),
        packet(outcome.packet),
    )
    text = "\n".join(section for section in sections if section)
    return head(text, size=SIZE_LIMIT, notice=_CUT)


def afterwards(notes: tuple[str, ...]) -> str:
    """What is added to the page for notes that came when it was written already."""
    return bullets([markdown(note, 1000) for note in notes])


def _verdict(outcome: Outcome) -> str:
    icon = "🔒" if outcome.reason is Reason.LOCKED else ICONS[outcome.status]
    return f"### {icon} {verdict(outcome, partial(markdown, limit=VERSION_WIDTH))}\n"


def _why(outcome: Outcome) -> str:
    """Cause, next step and owner; a cause of several lines (every mistake in deploy.yml) becomes a list."""
    failure, causes = outcome.failure, [REASONS[outcome.reason][1]]
    if failure is not None:
        causes = [line for line in failure.cause.splitlines() if line.strip()] or causes
    why = markdown(causes[0], 1000)
    if failure is not None:
        why = f"**Why:** {why}"
    more = bullets([markdown(line, 1000) for line in causes[1:]])
    going_back = outcome.rollback.cause if outcome.rollback else ""
    parts = (
        ("Going back", markdown(going_back, 1000)),
        ("Next", markdown(failure.hint, 1000) if failure else ""),
        ("Owner", markdown(outcome.owner)),
    )
    rest = " · ".join(f"**{name}:** {text}" for name, text in parts if text)
    return f"{why}\n" + (f"\n{more}" if more else "") + (f"\n{rest}\n" if rest else "")


def _overrides(outcome: Outcome) -> str:
    return ">\n".join(f"> ⚠️ **{markdown(text, 1000)}**\n" for text in outcome.overrides[:20])


def _overview(outcome: Outcome, now: datetime) -> str:
    ended = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    cells = {
        "What": f"{outcome.verb} {code(outcome.stack)}".strip(),
        "Where": code(outcome.environment),
        "From → to": _way(outcome),
        "Checks": _counted(outcome),
        "Time": f"{duration(outcome.seconds)}, until {ended}",
    }
    told = {title: text for title, text in cells.items() if text}
    return table(tuple(told), [tuple(told.values())])


def _counted(outcome: Outcome) -> str:
    """What passed; that nothing was checked is told where something should have been."""
    if outcome.jobs:
        passed = sum(job.mark is not Mark.FAILED for job in outcome.jobs)
        return f"{passed}/{len(outcome.jobs)} jobs passed"
    return checks_passed(outcome.checks) or ("none" if outcome.verb in _SERVING else "")


def _way(outcome: Outcome) -> str:
    """From which version to which, with digests where there is one image, and what became of it."""
    before = after = ""
    if len(outcome.changes) == 1:
        change = outcome.changes[0]
        before = f" ({code(short(change.previous_digest))})" if change.previous_digest else ""
        digest = short(change.image.digest)
        after = f" ({code(digest)})" if digest != outcome.version else ""
    if outcome.verb is Verb.MIGRATE:
        return f"schema for {code(outcome.version)}{after}"
    start = code(outcome.previous_version) + before if outcome.previous_version else "nothing"
    if not outcome.version:
        return ""
    if outcome.verb in (Verb.BUILD, Verb.DRIFT):  # nothing runs differently
        return code(outcome.version)
    if not outcome.changes:  # it ended before it was known what runs
        return f"{code(outcome.version)}, not begun"
    if outcome.reason is Reason.DOWN:
        return f"{start} → nothing"
    goal = f"{code(outcome.version)}{after}"
    same = all(change.previous_digest == change.image.digest for change in outcome.changes)
    way = goal if same and start == goal else f"{start} → {goal}"
    if outcome.status is Status.ROLLED_BACK:
        back = outcome.rollback.version if outcome.rollback else outcome.previous_version
        return f"{way} → {code(back) or 'nothing'}"
    untouched = outcome.status is Status.REFUSED or outcome.reason is Reason.HALF_MIGRATED
    if untouched or outcome.exit in (Exit.USAGE, Exit.STOPPED):
        return f"{way}, not begun"
    return way


def _schema(change: SchemaChange | None) -> str:
    """Where the database's schema stood, and stands; nothing where nobody looked."""
    if change is None:
        return ""
    after = code(change.after.label) if change.after else "⚠️ cannot be read"
    pending = code(", ".join(change.after.pending)) if change.after else ""
    before = code(change.before.label)
    row = (markdown(change.tool), before, after, pending or "none", markdown(change.backup))
    return table(("Schema", "Before", "After", "Pending", "Backup"), [row])


def _images(outcome: Outcome) -> str:
    if len(outcome.changes) < 2 or outcome.builds:
        return ""
    rows = [
        (
            code(change.image.name),
            code(change.image.repository),
            code(change.image.tag),
            code(short(change.previous_digest)) or "nothing",
            _after(change, outcome),
        )
        for change in outcome.changes
    ]
    return table(("Image", "Repository", "Tag", "From", "To"), rows)


def _after(change: Change, outcome: Outcome) -> str:
    if outcome.reason is Reason.DOWN:
        return "nothing"
    same = change.image.digest == change.previous_digest
    return "the same" if same else code(short(change.image.digest))


def _rule(rows: tuple[CheckResult, ...]) -> str:
    """What the verified-image rule looked at: for all to see when it refused, else folded."""
    cells = [
        (_MARKS[row.mark], markdown(row.name), markdown(row.value), markdown(row.bound)) for row in rows
    ]
    shown = table(("", "Verified-image rule", "Found", "Wanted"), cells)
    refused = any(row.mark is Mark.FAILED for row in rows)
    return shown if refused else details("Verified-image rule", shown)


def _preflight(rows: tuple[CheckResult, ...]) -> str:
    """What was not as it should be, for all to see; the rest folded."""
    bad = tuple(row for row in rows if row.mark is not Mark.PASSED)
    good = tuple(row for row in rows if row.mark is Mark.PASSED)
    folded = details(f"Preflight ({len(good)} passed)", _checks(good)) if good else ""
    return "\n".join(part for part in (_checks(bad), folded) if part)


def _checks(checks: tuple[CheckResult, ...]) -> str:
    """A row a check; how often and how long it looked where one took its time."""
    timed = any(check.tries > 1 or check.seconds for check in checks)
    rows = [
        (
            _MARKS[check.mark],
            markdown(check.name),
            markdown(check.value),
            markdown(check.bound),
            *((str(check.tries), duration(check.seconds)) if timed else ()),
        )
        for check in checks
    ]
    return table(("", "Check", "Seen", "Wanted", *(("Tries", "Time") if timed else ())), rows)


def _steps(outcome: Outcome) -> str:
    back = outcome.rollback.steps if outcome.rollback else ()
    rows = [
        (
            _MARKS[step.mark],
            ("back: " if index >= len(outcome.steps) else "") + markdown(step.name),
            duration(step.seconds),
            markdown("; ".join(step.notes)),
        )
        for index, step in enumerate((*outcome.steps, *back))
    ]
    return details(f"Steps ({len(rows)})", table(("", "Step", "Time", "Notes"), rows))


def _digests(change: Change) -> tuple[tuple[str, str], ...]:
    name = code(change.image.name)
    before = "" if change.previous_digest == change.image.digest else code(change.previous_digest)
    return ((f"Image {name}", code(change.image.reference)), (f"Image {name} before", before))


def _records(outcome: Outcome) -> str:
    """What an auditor asks for: full digests, ids, hashes and paths."""
    pairs = [
        ("Reason code", code(outcome.reason)),
        ("Release id", code(outcome.release_id)),
        *(pair for change in outcome.changes for pair in _digests(change)),
        *(pair for built in outcome.builds for pair in digests(built)),
        ("Record" if len(outcome.records) == 1 else "Records", ", ".join(map(code, outcome.records))),
        ("Ledger head", code(outcome.ledger_head)),
        ("Started", markdown(outcome.started_at)),
        ("Actor", markdown(outcome.actor)),
        ("Run", link("open", outcome.run_url) if outcome.run_url else ""),
        ("Evidence", code(outcome.evidence_path)),
        ("Manifest SHA-256", code(outcome.manifest_hash)),
    ]
    rows = [(name, text) for name, text in pairs if text]
    return details("Records, digests, evidence", table(("What", "Value"), rows))
