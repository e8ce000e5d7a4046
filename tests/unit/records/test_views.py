import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ci_lib.records.views import history_lines

BODY: dict[str, Any] = {
    "time": "2026-01-30T10:00:00Z",
    "type": "deploy",
    "status": "deployed",
    "version": "sha-1",
}


def lines(**changes: Any) -> list[str]:
    return list(history_lines(BODY | changes, stack="shop-prod", environment="prod"))


def test_a_line_has_exactly_the_playbooks_form() -> None:
    assert lines() == ["2026-01-30 10:00:00 | shop-prod | prod | deploy | sha-1 | success |\n"]


def test_a_failure_says_why() -> None:
    failure = {"step": "check ready", "cause": "HTTP 500", "hint": "look"}
    assert lines(status="failed", failure=failure) == [
        "2026-01-30 10:00:00 | shop-prod | prod | deploy | sha-1 | fail | check ready: HTTP 500\n"
    ]


def test_a_release_that_came_back_has_a_line_for_the_way_back() -> None:
    back = {"proved": True, "version": "sha-0"}
    assert lines(status="rolled_back", rollback=back)[1] == (
        "2026-01-30 10:00:00 | shop-prod | prod | rollback | sha-0 | success | automatic, "
        "after sha-1 failed\n"
    )
    assert (
        "| rollback | none | fail |"
        in lines(status="partial", rollback={"proved": False, "version": ""})[1]
    )


def test_every_status_is_success_or_fail() -> None:
    ends = {"deployed", "unchanged", "passed", "rolled_back", "failed", "refused", "partial", "unknown"}
    green = {status for status in ends if "| success |" in lines(status=status)[0]}
    assert green == {"deployed", "unchanged", "passed"}


def test_promote_is_called_deploy() -> None:
    assert "| deploy | sha-1 |" in lines(type="promote")[0]


def test_what_was_overridden_and_late_is_said() -> None:
    assert lines(forced="down", skipped="flaky (approved by bob)", late=True)[0].endswith(
        "| success | forced: down; checks skipped: flaky (approved by bob); late\n"
    )


def test_the_playbooks_own_queries_find_them() -> None:
    log = "".join(
        lines()
        + lines(version="sha-2", status="rolled_back", rollback={"proved": True, "version": "sha-1"})
        + lines(version="sha-3", type="promote")
        + list(history_lines(BODY, stack="shop", environment="staging"))
    ).splitlines()
    assert len([line for line in log if re.search(r"| shop-prod |".replace("|", r"\|"), line)]) == 4
    failed = [line for line in log if re.search(r"\| .* \| fail \|", line)]
    assert [line.split(" | ")[4] for line in failed] == ["sha-2"]
    last = [
        line for line in log if re.search(r"\| shop-prod \| prod \| deploy \| .* \| success \|", line)
    ][-1]
    assert last.split(" | ")[4] == "sha-3"


@given(st.text(max_size=60), st.text(max_size=60))
def test_hostile_text_can_forge_neither_field_nor_line(cause: str, version: str) -> None:
    written = lines(
        status="failed",
        version=version,
        failure={"step": "check", "cause": cause, "hint": ""},
        forced=cause,
        rollback={"proved": True, "version": version},
    )
    for line in written:
        assert line.count("\n") == 1
        assert len(line.splitlines()) == 1
        assert line.count("|") == 6


def test_a_note_of_a_megabyte_is_cut() -> None:
    assert len(lines(forced="x" * 1_000_000)[0]) < 500
