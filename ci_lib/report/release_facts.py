"""What the template of a release record may ask for: each placeholder as Markdown, made from an outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ci_lib.domain.outcome import CheckResult, Mark, Outcome
from ci_lib.domain.text import code, duration, markdown
from ci_lib.report.markdown import bullets, link, quote, table
from ci_lib.report.verdict import ICONS, VERSION_WIDTH, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a record tells. ``sections`` are those of the draft, by their names.

    All of it is masked already: an escaped secret is no longer recognised.
    """

    outcome: Outcome
    sections: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What a template may ask for; ``make`` gives Markdown, escaped, empty for nothing."""

    meaning: str
    make: Callable[[Facts], str]


def _verdict(facts: Facts) -> str:
    outcome = facts.outcome
    return f"{ICONS[outcome.status]} {verdict(outcome, partial(markdown, limit=VERSION_WIDTH))}"


def _way(facts: Facts) -> str:
    old, new = facts.outcome.previous_version, facts.outcome.version
    return f"{code(old) or 'nothing'} → {code(new)}" if new else ""


def _run(facts: Facts) -> str:
    return link("open", facts.outcome.run_url) if facts.outcome.run_url else ""


def _backup(facts: Facts) -> str:
    """The notes of the step that made it, which name the folder."""
    if facts.outcome.schema is not None and facts.outcome.schema.backup:
        return markdown(facts.outcome.schema.backup, 1000)
    steps = (step for step in facts.outcome.steps if step.name.split(" ")[0] == "backup")
    notes = (note.removeprefix("backup in ") for step in steps for note in step.notes or (f"{step.mark}",))
    return markdown("; ".join(notes), 1000)


def _schema(facts: Facts) -> str:
    change = facts.outcome.schema
    if change is None:
        return ""
    before, tool = code(change.before.label), markdown(change.tool)
    if change.after is None:
        return f"{tool}: {before} → cannot be read"
    pending = f", still pending: {code(', '.join(change.after.pending))}" if change.after.pending else ""
    way = f"{before} → {code(change.after.label)}" if change.changed else f"{before}, unchanged"
    return f"{tool}: {way}{pending}"


def _images(facts: Facts) -> str:
    rows = [
        (code(change.image.name), code(change.image.reference), code(change.previous_digest))
        for change in facts.outcome.changes
    ]
    return table(("Image", "Runs", "Ran before"), rows)


def _checks(checks: tuple[CheckResult, ...]) -> str:
    return bullets([_check(check) for check in checks], limit=200)


def _check(check: CheckResult) -> str:
    box = "[x]" if check.mark is Mark.PASSED else "[ ]"
    told = f"{markdown(check.name)}: {markdown(check.value)} (wanted {markdown(check.bound)})"
    return f"{box} {told}" + ("" if check.mark is Mark.PASSED else f", **{check.mark}**")


def _steps(facts: Facts) -> str:
    back = facts.outcome.rollback.steps if facts.outcome.rollback else ()
    rows = [
        (
            ("back: " if index >= len(facts.outcome.steps) else "") + markdown(step.name),
            str(step.mark),
            duration(step.seconds),
            markdown("; ".join(step.notes), 1000),
        )
        for index, step in enumerate((*facts.outcome.steps, *back))
    ]
    return table(("Step", "Result", "Time", "Notes"), rows)


def _failure(facts: Facts) -> str:
    failure = facts.outcome.failure
    if failure is None:
        return ""
    causes = [line for line in failure.cause.splitlines() if line.strip()]
    lines = [f"**{markdown(failure.step)}:** {markdown(cause, 1000)}" for cause in causes[:50]]
    return "\n\n".join([*lines, *([f"Next: {markdown(failure.hint, 1000)}"] if failure.hint else [])])


def _back(facts: Facts) -> str:
    back = facts.outcome.rollback
    if back is None:
        return ""
    old = code(back.version) or "nothing"
    if not back.proved:
        return f"Going back to {old} failed: {markdown(back.cause, 1000) or 'see the steps'}"
    return f"{old} is back, and was proved" if back.version else "It was taken down: nothing serves"


def _section(name: str) -> Callable[[Facts], str]:
    def make(facts: Facts) -> str:
        return next((quote(text) for title, text in facts.sections.items() if title.casefold() == name), "")

    return make


def _draft(facts: Facts) -> str:
    written = ((title, text) for title, text in facts.sections.items() if text)
    return "\n".join(f"**{markdown(title)}**\n\n{quote(text)}" for title, text in written)


def _text(get: Callable[[Outcome], str]) -> Callable[[Facts], str]:
    return lambda facts: markdown(get(facts.outcome))


def _code(get: Callable[[Outcome], str]) -> Callable[[Facts], str]:
    return lambda facts: code(get(facts.outcome))


def _list(get: Callable[[Outcome], tuple[str, ...]]) -> Callable[[Facts], str]:
    return lambda facts: bullets([markdown(text, 1000) for text in get(facts.outcome)])


PLACEHOLDERS: Final[Mapping[str, Placeholder]] = {
    name: Placeholder(meaning=meaning, make=make)
    for name, meaning, make in (
        ("time", "When the run began, in UTC.", _text(lambda o: o.started_at)),
        ("duration", "How long it took.", lambda facts: duration(facts.outcome.seconds)),
        ("verb", "What was asked for: `deploy`, `promote`, `rollback`, …", _text(lambda o: o.verb)),
        ("stack", "The stack.", _text(lambda o: o.stack)),
        ("environment", "The environment.", _text(lambda o: o.environment)),
        ("status", "How it ended: `deployed`, `rolled_back`, …", _text(lambda o: o.status)),
        ("reason", "The reason code.", _code(lambda o: o.reason)),
        ("verdict", "How it ended, in one sentence.", _verdict),
        ("version", "The version that was asked for.", _code(lambda o: o.version)),
        ("previous_version", "The version that served before.", _code(lambda o: o.previous_version)),
        ("way", "From which version to which.", _way),
        ("release_id", "The release's id.", _code(lambda o: o.release_id)),
        ("images", "Table of the images, with their digests now and before.", _images),
        ("actor", "Who ran it.", _text(lambda o: o.actor)),
        ("run", "The CI's run, as a link.", _run),
        ("owner", "Who answers for the environment.", _text(lambda o: o.owner)),
        ("draft", "Every section of the draft, quoted.", _draft),
        ("scope", "The draft's section *Scope*, quoted.", _section("scope")),
        ("risk", "The draft's section *Risk*, quoted.", _section("risk")),
        ("contacts", "The draft's section *Contacts*, quoted.", _section("contacts")),
        ("checks", "The checks as ticks: the smoke checklist.", lambda f: _checks(f.outcome.checks)),
        ("preflight", "The checks before the switch, likewise.", lambda f: _checks(f.outcome.preflight)),
        ("steps", "Table of the steps, those of the way back among them.", _steps),
        ("backup", "The folder of the backup that was made.", _backup),
        ("schema", "The schema of the database, before and after.", _schema),
        ("overrides", "Gates that a person opened, with reason and approver.", _list(lambda o: o.overrides)),
        ("failure", "The step that failed, why, and what to do next.", _failure),
        ("back", "What came back after a failure.", _back),
        ("notes", "What else there is to say.", _list(lambda o: o.notes)),
        ("records", "The ids of the ledger's records.", _list(lambda o: o.records)),
        ("ledger_head", "The ledger's last hash.", _code(lambda o: o.ledger_head)),
        ("evidence", "The name of the evidence.", _code(lambda o: o.evidence_path.rpartition("/")[2])),
    )
}
"""What a template may hold, in the order of the reference."""
