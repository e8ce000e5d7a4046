"""What checked a commit on GitHub, and which variables and secrets a job is given there."""

from typing import Any, Final
from urllib.parse import quote

from github.Repository import Repository

from ci_lib.domain.forge import CheckState, CommitCheck
from ci_lib.domain.text import one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import number, one, pages, text

_CONCLUSIONS: Final = {
    "success": CheckState.PASSED,
    "neutral": CheckState.SKIPPED,
    "skipped": CheckState.SKIPPED,
    "failure": CheckState.FAILED,
    "cancelled": CheckState.FAILED,
    "timed_out": CheckState.FAILED,
    "action_required": CheckState.FAILED,
    "stale": CheckState.FAILED,
    "startup_failure": CheckState.FAILED,
}
_STATUSES: Final = {
    "success": CheckState.PASSED,
    "pending": CheckState.RUNNING,
    "failure": CheckState.FAILED,
    "error": CheckState.FAILED,
}
_RUNNING: Final = frozenset({"queued", "in_progress", "waiting", "requested", "pending"})
_WHO_MAY: Final = (
    "a token of its own with `secrets: read`, `variables: read`, `environments: read`; "
    "a job's token cannot have them"
)


def commit_checks(repo: Repository, sha: str) -> tuple[CommitCheck, ...]:
    """The checks of a commit, sorted by name; raises ``ForgeFault``.

    All of one name are listed, of several apps and of several check suites: each run of a workflow has a
    suite of its own, and stays in it when it is run again. Within a suite the newest counts, and of commit
    statuses the newest of each context: that is all that GitHub itself makes of them.
    """
    shown, commit = one_line(sha), f"/commits/{quote(sha, safe='')}"
    with asking(f"the checks of {shown}", needs="checks: read"):
        runs = sorted(pages(repo, f"{commit}/check-runs", "check_runs", filter="all"), key=_age)
        newest = {(text(run, "name"), (run["app"] or {}).get("slug", ""), _suite(run)): run for run in runs}
        found = [
            CommitCheck(name=run["name"], state=_state(run), url=run["html_url"] or "")
            for run in newest.values()
        ]
    with asking(f"the commit statuses of {shown}", needs="statuses: read"):
        # Not by PyGithub, which asks at a path that GitHub does not document any more.
        statuses = sorted(pages(repo, f"{commit}/statuses"), key=_age)
        found += [
            CommitCheck(name=name, state=_STATUSES[status["state"]], url=status["target_url"] or "")
            for name, status in {text(status, "context"): status for status in statuses}.items()
        ]
    return tuple(sorted(found, key=lambda check: (check.name, check.url)))


def _age(found: dict[str, Any]) -> int:
    # Not by time: a run that still waits has none. Ids grow, and one that is run again has a new id.
    return number(found, "id")


def _suite(run: dict[str, Any]) -> tuple[str, int]:
    """What a check run stays in when it is run again; of one that is in no suite nothing newer is known."""
    suite = run["check_suite"]
    return ("run", number(run, "id")) if suite is None else ("suite", number(suite, "id"))


def _state(run: dict[str, Any]) -> CheckState:
    if run["status"] == "completed":
        return _CONCLUSIONS[text(run, "conclusion")]
    if run["status"] not in _RUNNING:
        raise ValueError
    return CheckState.RUNNING


def variable_names(repo: Repository, environment: str) -> frozenset[str]:
    """Names of variables and secrets of repository, environment and organisation; raises ``ForgeFault``.

    An organisation's are those that it shares with this repository.
    """
    with asking(f"the names of variables and secrets of {one_line(environment)}", needs=_WHO_MAY):
        places = ["/actions/", f"/environments/{quote(environment, safe='')}/"]
        if one(repo, "")["owner"]["type"] == "Organization":
            places.append("/actions/organization-")
        return frozenset(
            text(entry, "name")
            for place in places
            for kind in ("variables", "secrets")
            for entry in pages(repo, f"{place}{kind}", kind)
        )
