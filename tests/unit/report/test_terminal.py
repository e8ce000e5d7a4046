from dataclasses import replace

from ci_lib.domain.outcome import Mark
from ci_lib.report.terminal import mark, terminal
from tests.golden.outcomes import HOSTILE_PARTIAL, OUTCOMES, ROLLED_BACK


def test_the_verdict_comes_first_and_the_rest_explains_it() -> None:
    assert terminal(ROLLED_BACK) == (
        "shop production is back on sha-1: sha-2 failed its checks",
        "  why:        http://127.0.0.1:8000/ready answered HTTP 500 three times",
        "  next:       read the log lines below, then deploy a corrected version",
        "  image:      api 010101010101 → abababababab (sha-2)",
        "  checks:     0/1 passed",
        "  took:       41 s",
        "  owner:      operations",
        f"  ledger:     {'2b' * 32}",
        "  evidence:   /tmp/evidence-deploy-shop-production-1-deadbeef",
    )


def test_overrides_are_shown() -> None:
    lines = terminal(OUTCOMES["deployed-with-overrides"])
    assert "  override:   checks skipped: the mail server is down (approved by bob)" in lines


def test_the_lines_of_a_cause_become_one_list() -> None:
    assert ROLLED_BACK.failure is not None
    failure = replace(
        ROLLED_BACK.failure, cause="deploy.yml:1: version\n  deploy.yml:4: hosts\n\n… and 2 more"
    )
    _, why, *_ = terminal(replace(ROLLED_BACK, failure=failure))
    assert why == "  why:        deploy.yml:1: version; deploy.yml:4: hosts; … and 2 more"


def test_hostile_text_stays_on_its_line() -> None:
    assert all(len(line.splitlines()) == 1 and "\x1b" not in line for line in terminal(HOSTILE_PARTIAL))


def test_what_went_down_goes_to_nothing() -> None:
    assert "  image:      api abababababab (sha-2) → nothing" in terminal(OUTCOMES["down"])


def test_only_green_outcomes_are_marked_as_passed() -> None:
    green = {name for name, outcome in OUTCOMES.items() if mark(outcome) is Mark.PASSED}
    assert green == {
        "built", "deployed", "deployed-with-overrides", "first-deployed", "requested-rollback", "unchanged",
        "passed", "migrated", "promoted", "several-hosts", "down",
    }  # fmt: skip
