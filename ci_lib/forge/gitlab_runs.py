"""Whether a job of GitLab goes on, and who let this one into an environment.

Sources: https://docs.gitlab.com/api/jobs/ (List pipeline jobs), https://docs.gitlab.com/api/deployments/,
https://gitlab.com/gitlab-org/gitlab-runner/-/issues/27443 (how long a script may outlive its job)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final
from urllib.parse import quote

from gitlab.v4.objects import Project

from ci_lib.domain.forge import Review, RunState
from ci_lib.domain.text import one_line
from ci_lib.forge.gitlab_client import Access, asking
from ci_lib.forge.gitlab_json import one, pages, text
from ci_lib.forge.gitlab_run import GitLabRun

_OWNER: Final = re.compile(
    r"gitlab:(?P<project>[^\s]{1,1000})/(?P<pipeline>[1-9][0-9]{0,17})/(?P<job>[1-9][0-9]{0,17})/[^/\s]*"
)
_OVER: Final = frozenset({"success", "skipped"})
_ALIVE: Final = frozenset(
    {
        "created",
        "waiting_for_resource",
        "preparing",
        "waiting_for_callback",
        "pending",
        "running",
        "canceling",
        "manual",
        "scheduled",
    }
)
_BY_ITSELF: Final = "script_failure"
"""Why a job failed whose script has come to its end. Of one whose runner broke down, or was not heard of,
nobody knows whether anybody has stopped what runs there."""

_STOPPED: Final = frozenset({("canceled", ""), ("failed", "job_execution_timeout")})
"""Status and reason of a job that its runner has yet to stop, or is about to."""

_STOPPING: Final = timedelta(minutes=15)
"""Without `canceling` (GitLab before 17.0, older runners, a forced end) a job is `canceled` when the button
is pressed. Its runner hears of it a moment later, and kills what does not go by itself after ten minutes."""

_VERDICTS: Final = {"approved": True, "rejected": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner of a lock, as ``ci/gitlab_facts.py`` writes it; ``project`` is escaped as in a URL."""

    project: str
    pipeline: int
    job: int


def owner_of(owner: str) -> Owner | None:
    """The owner in parts; None for any other text."""
    found = _OWNER.fullmatch(owner)
    if found is None:
        return None
    return Owner(project=found["project"], pipeline=int(found["pipeline"]), job=int(found["job"]))


def run_state(access: Access, run: GitLabRun, owner: Owner, now: datetime) -> RunState:
    """Whether the very job goes on that an owner names, ``now`` in UTC; raises ``ForgeFault``.

    A job's token may not ask for a job by its number, but for the jobs of a pipeline. One that is retried has
    another number, and stays in the list with ``include_retried``.
    """
    if owner.project != quote(run.path, safe="/", errors="replace"):
        return RunState.UNKNOWN
    path = f"/pipelines/{owner.pipeline}/jobs"
    with asking(f"the state of job {owner.job}"):
        jobs = access.first(lambda project: list(pages(project, path, include_retried="true")))
        found = [job for job in jobs if job["id"] == owner.job and job["pipeline"]["id"] == owner.pipeline]
        return _judge(found[0], now) if len(found) == 1 else RunState.UNKNOWN


def _judge(job: dict[str, Any], now: datetime) -> RunState:
    status, reason = text(job, "status"), str(job.get("failure_reason") or "")
    if status in _ALIVE:
        return RunState.ALIVE
    if status in _OVER or (status, reason) == ("failed", _BY_ITSELF):
        return RunState.ENDED
    if (status, reason) in _STOPPED and job.get("finished_at"):
        return RunState.ENDED if _moment(job, "finished_at") + _STOPPING <= now else RunState.UNKNOWN
    return RunState.UNKNOWN


def reviews(access: Access, run: GitLabRun, environment: str) -> tuple[Review, ...]:
    """Who approved the deployment of this job, sorted; the newest word of a person counts.

    Raises ``ForgeFault``. Approvals are of GitLab Premium: without it there are none. Who started a manual
    job is not among them. One deployment alone holds the approvals, not the list of them.
    """
    with asking(f"the approvals of {one_line(environment)}"):
        words = access.first(lambda project: _words(project, run, environment))
        newest = {text(word["user"], "username"): word for word in sorted(words, key=_when)}
        agreed = {who: word for who, word in newest.items() if _VERDICTS[text(word, "status")]}
        return tuple(
            Review(reviewer=who, since=_when(word), where=run.job_url) for who, word in sorted(agreed.items())
        )


def _words(project: Project, run: GitLabRun, environment: str) -> list[dict[str, Any]]:
    """What people said of this job's deployment, with either kind of approval rules."""
    for found in deployments(project, run.created, environment):
        if (found["deployable"] or {}).get("id") == run.job:
            whole = one(project, f"/deployments/{int(found['id'])}")
            if whole["id"] != found["id"]:
                raise ValueError
            rules = (whole.get("approval_summary") or {}).get("rules") or []
            lists = [whole.get("approvals") or [], *(rule["deployment_approvals"] for rule in rules)]
            return [word for words in lists for word in words]
    return []


def deployments(project: Project, since: datetime | None, environment: str) -> Iterator[dict[str, Any]]:
    """The deployments to an environment since a moment, the newest first; all of them for None."""
    found = pages(project, "/deployments", environment=environment, order_by="id", sort="desc")
    if since is None:
        return found
    return takewhile(lambda one: _when(one) >= since, found)


def _when(found: dict[str, Any]) -> datetime:
    return _moment(found, "created_at")


def _moment(found: dict[str, Any], name: str) -> datetime:
    when = datetime.fromisoformat(text(found, name))
    if when.tzinfo is None:
        raise ValueError
    return when
