"""Whether a run of GitHub goes on, and who let this one into an environment."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from github.Repository import Repository

from ci_lib.domain.forge import Review, RunState
from ci_lib.domain.text import one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import one, pages, text
from ci_lib.forge.github_run import GitHubRun

_OWNER: Final = re.compile(
    r"github:(?P<repository>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)/(?P<run>[1-9][0-9]{0,17})"
    r"/(?P<attempt>[1-9][0-9]{0,8})/(?P<job>[A-Za-z0-9_-]+)(?:@(?P<runner>[^\n]{1,300}))?"
)
_BEFORE: Final = frozenset({"queued", "waiting", "requested", "pending"})
"""A job's states before it has a runner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner of a lock, as ``ci/github.py`` writes it; ``runner`` is empty where that had no name."""

    repository: str
    run: int
    attempt: int
    runner: str


def owner_of(owner: str) -> Owner | None:
    """The owner in parts; None for any other text."""
    found = _OWNER.fullmatch(owner)
    if found is None:
        return None
    return Owner(
        repository=found["repository"],
        run=int(found["run"]),
        attempt=int(found["attempt"]),
        runner=found["runner"] or "",
    )


def run_state(repo: Repository, run: GitHubRun, owner: Owner) -> RunState:
    """Whether the job goes on that an owner names; raises ``ForgeFault``.

    The API knows jobs by the names that people read, the owner has the job's key in the workflow; so the job
    is found by its runner, which has one job at a time. It has ended when the attempt has one on that runner
    and none that is not completed; a job that has begun and names no runner may be it.
    """
    if owner.repository.lower() != run.repository.lower():
        return RunState.UNKNOWN
    what = f"the state of run {owner.run}, attempt {owner.attempt}"
    with asking(what, needs="actions: read"):
        # Not by PyGithub's objects: one of an attempt takes its id from the URL, and its `jobs_url` may be
        # that of the newest attempt.
        path = f"/actions/runs/{owner.run}/attempts/{owner.attempt}"
        attempt = one(repo, path)
        same = (attempt["id"], attempt["run_attempt"]) == (owner.run, owner.attempt)
        if not same or text(attempt["repository"], "full_name").lower() != run.repository.lower():
            return RunState.UNKNOWN
        found = pages(repo, f"{path}/jobs", "jobs")
        jobs = [(text(job, "status"), job["runner_name"] or "") for job in found]
        completed = attempt["status"] == "completed"
    return _judge(jobs, completed=completed, runner=owner.runner)


def _judge(jobs: list[tuple[str, str]], *, completed: bool, runner: str) -> RunState:
    """``jobs`` are pairs of state and runner's name, of one attempt."""
    going = [name for state, name in jobs if state != "completed" and state not in _BEFORE]
    if completed:
        # The list may lag behind, or the other way round: both have to say so.
        return RunState.ALIVE if going else RunState.ENDED
    seen = bool(runner) and ("completed", runner) in jobs
    waiting_on_it = any(name == runner for state, name in jobs if state in _BEFORE)
    return RunState.ENDED if seen and not waiting_on_it and not {runner, ""} & {*going} else RunState.ALIVE


def reviews(repo: Repository, run: GitHubRun, environment: str) -> tuple[Review, ...]:
    """Who approved that this run enters an environment, sorted; raises ``ForgeFault``.

    GitHub keeps no time with a review. It cannot be older than the run, so the run's first start stands for
    it: a run that is run again days later keeps the reviews of its first attempt, which then are too old.
    Nor does it say in which order they came: who has rejected as well does not count.
    """
    with asking(f"the reviews of {one_line(environment)}", needs="actions: read"):
        since = datetime.fromisoformat(text(one(repo, f"/actions/runs/{run.id}"), "created_at"))
        found = one(repo, f"/actions/runs/{run.id}/approvals")
        ours = [entry for entry in found if _names(entry, environment)]
        words = [(text(entry["user"], "login"), text(entry, "state")) for entry in ours]
    rejected = {who.lower() for who, state in words if state == "rejected"}
    agreed = sorted({who for who, state in words if state == "approved" and who.lower() not in rejected})
    return tuple(Review(reviewer=who, since=since, where=run.url) for who in agreed)


def _names(entry: dict[str, Any], environment: str) -> bool:
    # GitHub's names of environments know no upper and lower case.
    return environment.lower() in {text(place, "name").lower() for place in entry["environments"]}
