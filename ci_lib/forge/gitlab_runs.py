"""Whether a job of GitLab goes on, and who let this one into an environment.

Sources: https://docs.gitlab.com/api/jobs/ (List pipeline jobs), https://docs.gitlab.com/api/deployments/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
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
_ENDED: Final = frozenset({"success", "failed", "canceled", "skipped"})
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
_SILENT: Final = "stuck_or_timeout_failure"
"""Why a job failed of which GitLab has not heard for long: nobody has stopped what runs on its runner."""

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


def run_state(access: Access, run: GitLabRun, owner: Owner) -> RunState:
    """Whether the very job goes on that an owner names; raises ``ForgeFault``.

    A job's token may not ask for a job by its number, but for the jobs of a pipeline. One that is retried has
    another number, and stays in the list with ``include_retried``.
    """
    if owner.project != quote(run.path, safe="/", errors="replace"):
        return RunState.UNKNOWN
    path = f"/pipelines/{owner.pipeline}/jobs"
    with asking(f"the state of job {owner.job}"):
        jobs = access.first(lambda project: list(pages(project, path, include_retried="true")))
        found = [job for job in jobs if job["id"] == owner.job and job["pipeline"]["id"] == owner.pipeline]
        return _judge(found[0]) if len(found) == 1 else RunState.UNKNOWN


def _judge(job: dict[str, Any]) -> RunState:
    status = text(job, "status")
    if status in _ALIVE:
        return RunState.ALIVE
    if status not in _ENDED or job.get("failure_reason") == _SILENT:
        return RunState.UNKNOWN
    return RunState.ENDED


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
    when = datetime.fromisoformat(text(found, "created_at"))
    if when.tzinfo is None:
        raise ValueError
    return when
