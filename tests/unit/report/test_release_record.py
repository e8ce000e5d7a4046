"""The dated record of a release, as whole texts."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ci_lib.domain.outcome import Mark, Outcome, StepResult
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.schema import Schema, SchemaChange
from ci_lib.report.release_facts import PLACEHOLDERS, Facts
from ci_lib.report.release_record import BUILT_IN, SIZE_LIMIT, faults_of, leaves_record, render
from tests.golden.outcomes import DEPLOYED, DISK, HOSTILE, HOSTILE_PARTIAL, OUTCOMES, ROLLED_BACK

GOLDEN = Path(__file__).parents[2] / "golden" / "release-records"
FOLDER = "backup in /srv/backups/shop/20260301T120003Z"
SAVED = StepResult(name="backup", mark=Mark.PASSED, seconds=2.5, notes=(FOLDER,))
SECTIONS = {
    "Scope": "Prices in euro.\n\n- [x] shop\n- office\n  - both <b>pages</b>",
    "Risk": "low, see https://wiki.example/risk",
    "Contacts": "@team-shop",
}
PROMOTED = replace(
    DEPLOYED,
    verb=Verb.PROMOTE,
    steps=(*DEPLOYED.steps[:2], SAVED, *DEPLOYED.steps[2:]),
    preflight=(DISK,),
    schema=SchemaChange(
        tool="alembic",
        before=Schema(current=("1a2b",), heads=("1a2b",)),
        after=Schema(current=("3c4d",), heads=("3c4d",)),
        backup=FOLDER.removeprefix("backup in "),
    ),
    overrides=("checks skipped: the mail server is down (approved by bob)",),
    notes=SAVED.notes,
)
RECORDS = {
    "promoted": Facts(outcome=PROMOTED, sections=SECTIONS),
    "rolled-back": Facts(outcome=ROLLED_BACK),
}


@pytest.mark.parametrize("name", RECORDS)
def test_the_record_is_the_text_that_was_agreed_on(name: str) -> None:
    """Run with UPDATE_GOLDEN=1 to write what is rendered now; then read the difference."""
    file = GOLDEN / f"{name}.md"
    text = render(BUILT_IN, RECORDS[name])
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_hostile_text_makes_no_headings_rows_or_tags() -> None:
    facts = Facts(outcome=HOSTILE_PARTIAL, sections=dict.fromkeys(SECTIONS, HOSTILE))
    plain, hostile = (render(BUILT_IN, found) for found in (RECORDS["rolled-back"], facts))
    titles = [[line for line in text.splitlines() if line.startswith("#")][1:] for text in (plain, hostile)]
    assert titles[0] == titles[1]
    assert "<script" not in hostile
    assert "[x](javascript" not in hostile


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_end_can_be_told(name: str) -> None:
    text = render(BUILT_IN, Facts(outcome=OUTCOMES[name]))
    assert text.startswith("## ")
    assert text.endswith("\n")


def test_the_built_in_template_has_no_faults_and_every_placeholder_says_something() -> None:
    assert faults_of(BUILT_IN) == ()
    nothing = Facts(outcome=Outcome(verb=Verb.DEPLOY, status=Status.FAILED, reason=Reason.BUG))
    assert [name for name in PLACEHOLDERS if not render(f"${{{name}}}", nothing).strip()] == []


def test_a_template_of_the_team_is_filled_in_once() -> None:
    facts = Facts(outcome=replace(DEPLOYED, notes=("${actor} $$ $",)))
    assert render("$verb by ${actor} for $$5: ${notes}", facts) == (
        "deploy by alice for $5: - &#36;&#123;actor&#125; &#36;&#36; &#36;\n"
    )


def test_the_faults_of_a_template_are_told_with_their_lines() -> None:
    assert faults_of("${verb}\n${verdikt} $5\n$owners ${") == (
        (2, "there is no placeholder ${verdikt}"),
        (2, "a lone `$`: write `$$` for a dollar sign, `${name}` for a placeholder"),
        (3, "there is no placeholder ${owners}"),
        (3, "a lone `$`: write `$$` for a dollar sign, `${name}` for a placeholder"),
    )


@pytest.mark.parametrize(
    ("verb", "status", "reason", "leaves"),
    [
        (Verb.DEPLOY, Status.DEPLOYED, Reason.DEPLOYED, True),
        (Verb.DEPLOY, Status.UNCHANGED, Reason.UNCHANGED, False),
        (Verb.PROMOTE, Status.REFUSED, Reason.NOT_VERIFIED, True),
        (Verb.ROLLBACK, Status.DEPLOYED, Reason.DEPLOYED, True),
        (Verb.POST_VERIFY, Status.PASSED, Reason.PASSED, True),
        (Verb.RESTORE_TEST, Status.PASSED, Reason.PASSED, True),
        (Verb.FINALIZE, Status.PASSED, Reason.PASSED, False),
        (Verb.FINALIZE, Status.ROLLED_BACK, Reason.RECOVERED, True),
        (Verb.PREFLIGHT, Status.FAILED, Reason.PREFLIGHT, False),
        (Verb.LINT_TEST, Status.FAILED, Reason.GATE, False),
    ],
)
def test_releases_and_drills_leave_a_record_and_looking_does_not(
    verb: Verb, status: Status, reason: Reason, leaves: bool
) -> None:
    assert leaves_record(Outcome(verb=verb, status=status, reason=reason)) is leaves


def test_a_record_is_bounded() -> None:
    facts = Facts(outcome=replace(DEPLOYED, notes=("é|" * 999,) * 60), sections={"Scope": "é|\n" * 300_000})
    assert len(render(BUILT_IN * 9, facts).encode()) <= SIZE_LIMIT


def test_a_schema_that_did_not_move_or_cannot_be_read_is_told() -> None:
    stands = Schema(current=(), heads=("1a2b",), pending=("1a2b",))
    for after, told in (
        (stands, "prisma: `empty`, unchanged, still pending: `1a2b`"),
        (None, "prisma: `empty` → cannot be read"),
    ):
        change = SchemaChange(tool="prisma", before=stands, after=after)
        assert render("${schema}", Facts(outcome=replace(DEPLOYED, schema=change))) == f"{told}\n"


def test_without_a_schema_the_backup_is_what_its_step_tells() -> None:
    facts = Facts(outcome=replace(PROMOTED, schema=None))
    assert render("${backup} ${schema}", facts) == "/srv/backups/shop/20260301T120003Z none\n"
