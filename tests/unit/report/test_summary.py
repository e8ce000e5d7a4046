import os
from dataclasses import replace
from pathlib import Path

import pytest

from ci_lib.domain.outcome import CheckResult, Logs, Mark, Packet, StepResult
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.redact import Redactor
from ci_lib.domain.text import one_line
from ci_lib.report.summary import SIZE_LIMIT, summary
from ci_lib.report.verdict import verdict
from tests.golden.outcomes import DEPLOYED, HOSTILE_PARTIAL, NOW, OUTCOMES, ROLLED_BACK

GOLDEN = Path(__file__).parents[2] / "golden" / "summaries"


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_summary_is_the_text_that_was_agreed_on(name: str) -> None:
    """Run with UPDATE_GOLDEN=1 to write what is rendered now; then read the difference."""
    file = GOLDEN / f"{name}.md"
    text = summary(OUTCOMES[name], now=NOW)
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_kept_summary_belongs_to_an_outcome() -> None:
    assert {file.stem for file in GOLDEN.glob("*.md")} == set(OUTCOMES)


def test_every_status_has_a_summary_that_is_kept() -> None:
    assert {outcome.status for outcome in OUTCOMES.values()} == set(Status)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("reason", Reason)
def test_every_end_has_a_verdict_of_one_line(reason: Reason, verb: Verb) -> None:
    for status in Status:
        sentence = verdict(replace(DEPLOYED, status=status, reason=reason, verb=verb), one_line)
        assert sentence.startswith("The gate" if verb is Verb.LINT_TEST else "shop production")
        assert "\n" not in sentence


def test_a_summary_stays_below_its_limit_and_keeps_the_verdict() -> None:
    logs = tuple(Logs(service=f"s{n}", lines="\x1b`é\n" * 20_000, health="é" * 99_999) for n in range(150))
    check = CheckResult(name="é|" * 999, mark=Mark.FAILED, value="é|" * 999, bound="é|" * 999)
    step = StepResult(name="é|" * 999, mark=Mark.FAILED, seconds=1, notes=("é|" * 999,))
    outcome = replace(
        ROLLED_BACK,
        checks=(check,) * 300,
        steps=(step,) * 300,
        notes=("é|" * 9999,) * 60,
        packet=Packet(services=logs, disk="é" * 999_999),
    )
    text = summary(outcome, now=NOW)
    assert len(text.encode()) <= SIZE_LIMIT
    assert text.startswith("### ↩️ shop production is back on sha-1")


def test_a_masked_outcome_shows_no_secret_even_where_text_is_escaped() -> None:
    secret = "p|ss<w>rd"
    outcome = replace(HOSTILE_PARTIAL, notes=(f"login with {secret} refused",))
    text = summary(Redactor([secret]).deep(outcome), now=NOW)
    assert "login with &#42;&#42;&#42; refused" in text
    assert "ss&lt;w" not in text


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (Status.PASSED, Reason.PASSED, "runs on the data of the backup"),
        (
            Status.ROLLED_BACK,
            Reason.ROLLED_BACK,
            "runs on the data from before again: the restore failed its checks",
        ),
        (Status.PARTIAL, Reason.ROLLBACK_FAILED, "bringing the data from before back failed as well"),
        (Status.UNKNOWN, Reason.CANCELLED, "cancelled while its data were exchanged"),
    ],
)
def test_a_restore_speaks_of_the_data(status: Status, reason: Reason, said: str) -> None:
    outcome = replace(ROLLED_BACK, verb=Verb.RESTORE, status=status, reason=reason)
    assert said in verdict(outcome, one_line)
