"""The plan for a person: on a terminal, and as a page for a job summary."""

from collections.abc import Iterator

from ci_lib.domain.differences import Difference
from ci_lib.domain.images import Image
from ci_lib.domain.plan import Plan
from ci_lib.domain.proposal import Proposal, SchemaOutlook, ServiceChange
from ci_lib.domain.text import code, duration, head, markdown, one_line
from ci_lib.report.facts import short
from ci_lib.report.history import aligned
from ci_lib.report.markdown import bullets, details, table

_SIZE = 60_000
"""Bytes of the page: a comment on a pull request takes 65,536 characters."""


def plan(proposal: Proposal) -> str:
    """Services old and new, what else changes, what to expect, the steps, and last the hash."""
    rows = [(row.service, row.new.name, _now(row), _then(row)) for row in proposal.services]
    parts = (
        aligned(("SERVICE", "IMAGE", "NOW", "THEN"), rows, none="No image is named."),
        aligned(("CHANGES", "WHAT", "HOW"), _changes(proposal), none="No setting and no file changes."),
        "".join(f"{name + ':':<13} {one_line(text, 400)}\n" for name, text in _facts(proposal)),
        "".join(f"{line}\n" for line in _steps(proposal.steps)),
        f"plan hash: {proposal.hash}\n",
    )
    return "\n".join(parts)


def plan_page(proposal: Proposal) -> str:
    """The same as Markdown. The proposal must be masked already: an escaped secret is not recognised."""
    title = f"### Plan: {markdown(proposal.stack)} {markdown(proposal.environment)} {_way(proposal)}\n"
    rows = [
        (code(row.service), code(row.new.name), code(_now(row)), code(_then(row)))
        for row in proposal.services
    ]
    changes = [(what, code(name), how) for what, name, how in _changes(proposal)]
    steps = bullets([markdown(line) for line in _steps(proposal.steps)], limit=200)
    parts = (
        title,
        table(("Service", "Image", "Now", "Then"), rows),
        table(("Changes", "What", "How"), changes) or "No setting and no file changes.\n",
        table(("", "Expected"), [(name, markdown(text, 1000)) for name, text in _facts(proposal)]),
        details(f"Steps ({len(proposal.steps)})", steps),
    )
    body = head("\n".join(part for part in parts if part), size=_SIZE, notice="**Cut here.**")
    return f"{body}\nPlan hash, for `--plan-hash`:\n\n```text\n{proposal.hash}\n```\n"


def no_plan_page(place: str, cause: str, hint: str) -> str:
    """Why there is no plan, as Markdown; the texts are masked already."""
    more = f"\n**Next:** {markdown(hint, 1000)}\n" if hint else ""
    return f"### Plan: {markdown(place)}\n\n❌ **There is none:** {markdown(cause, 1000)}\n{more}"


def _way(proposal: Proposal) -> str:
    before = code(proposal.previous.version) if proposal.previous else "nothing"
    return f"{before} → {code(proposal.release.version)}"


def _label(image: Image | None) -> str:
    return f"{image.label} {short(image.digest)}" if image else "-"


def _now(row: ServiceChange) -> str:
    return "another than recorded" if row.strange else _label(row.old)


def _then(row: ServiceChange) -> str:
    return _label(row.new) if row.changed else "the same"


def _changes(proposal: Proposal) -> list[tuple[str, str, str]]:
    found = proposal.differences
    return [*_rows("setting", found.settings), *_rows("file", found.files)]


def _rows(what: str, items: tuple[Difference, ...]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        yield what, item.name, str(item.how)


def _facts(proposal: Proposal) -> Iterator[tuple[str, str]]:
    release, before = proposal.release, proposal.previous
    was = f", now {before.version} ({before.id[:12]})" if before else ", the first one here"
    yield "release", f"{release.version} ({release.id[:12]}){was}"
    if before is not None and before.adopted:
        yield "adoption", "what runs was not deployed by deploy-actions, and becomes the way back"
    yield "hosts", ", ".join(proposal.hosts)
    for sentence in proposal.differences.unknown:
        yield "not compared", sentence
    if proposal.unchanged and _changes(proposal):
        yield "not applied", "the release is the same, so nothing is switched, and what changes waits"
    yield "migrations", _schema(proposal.schema)
    yield "interruption", _interruption(proposal)


def _schema(outlook: SchemaOutlook | None) -> str:
    if outlook is None:
        return "none: this run does not migrate"
    where = "where the schema stands is not recorded"
    if outlook.now is not None:
        where = f"the schema is at {', '.join(outlook.now) or 'empty'} by the records"
    if outlook.then is None:
        return f"{where}; where this image leads is not recorded: {outlook.tool} is asked when it runs"
    to = ", ".join(outlook.then) or "empty"
    if outlook.now is None:
        return f"may be pending: {where}, and this image leads to {to}"
    if set(outlook.now) == set(outlook.then):
        return f"none pending: {where}, and this image leads there"
    return f"pending: {where}, and this image leads to {to}"


def _interruption(proposal: Proposal) -> str:
    if proposal.unchanged:
        return "none: the release serves already, and nothing is switched"
    if proposal.previous is None:
        return "none: nothing serves yet"
    if not proposal.down:
        return "none: no service that is replaced runs"
    names = ", ".join(proposal.down)
    return f"{names}: down from the stop of the old instance until the new one serves, at most " + duration(
        proposal.down_for
    )


def _steps(steps: Plan) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        back = ", then ".join(undo.name for undo in step.undo)
        way = f"; if anything after it fails: {back}" if back else ""
        yield f"{number:2}. {step.name} (at most {duration(step.time_limit)}){way}"
