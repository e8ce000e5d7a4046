"""The record of a deployment on GitHub: one for a job, a stack, an environment and a commit.

A job with ``environment:`` makes GitHub write a record by itself, with the commit of the run; where an older
version is deployed, that is another than the version's. GitHub lets nobody change a record's commit, but
whoever may deploy may add a status with a description: that names the version and its commit. A second record
would show one deployment twice, and pass the environment's reviewers by.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from github.GithubObject import NotSet
from github.Repository import Repository

from ci_lib.domain.forge import Deployment, no_commit
from ci_lib.domain.text import one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import a_text, number, one, pages, text
from ci_lib.forge.github_run import GitHubRun
from ci_lib.forge.github_transport import GitHubFault

Record = dict[str, Any]
"""As GitHub lists it. PyGithub's object would ask for each record anew to hand out its payload."""

_KEY: Final = "deploy-actions"
_DESCRIPTION: Final = 140
"""Characters that GitHub takes as the description of a status."""

_REFUSED: Final = frozenset({401, 403, 404})
"""Answers to a token that may not see the jobs of a run."""

_OLDER: Final = 100
"""How many records that are older than the run are looked at before the search ends."""


def record_deployment(repo: Repository, run: GitHubRun, deployment: Deployment) -> str:
    """Say what this run did, in GitHub's own record of the job or else in one of ours; raises ``ForgeFault``.

    Returns the URL of the environment's deployments.
    """
    what = f"the deployment record of {one_line(deployment.environment)}"
    with asking(what, needs="deployments: write"):
        record = _found(repo, run, deployment) or _made(repo, run, deployment)
        description = _description(deployment, record)
        newest = next(_statuses(repo, record), {})
        if (newest.get("state"), newest.get("description")) != (deployment.state, description):
            repo.get_deployment(number(record, "id")).create_status(
                deployment.state,
                target_url=run.url,
                description=description,
                environment_url=deployment.url or NotSet,
            )
    return run.deployments(deployment.environment)


def _found(repo: Repository, run: GitHubRun, deployment: Deployment) -> Record | None:
    """GitHub's own record of this job, the newest first; or else ours of this job, stack and commit."""
    this = one(repo, f"/actions/runs/{run.id}")
    start, commit = datetime.fromisoformat(text(this, "created_at")), text(this, "head_sha")
    records = list(_since(repo, deployment.environment, start))
    ours = {record["id"]: payload for record in records if (payload := _payload(record))}
    others = [record for record in records if record["id"] not in ours]
    page = _job_page(repo, run) if others else ""
    by_github = (record for record in others if _of_run(repo, record, run, commit, page))
    wanted = _ours(run, deployment)
    by_us = (record for record in records if ours.get(record["id"]) == wanted)
    return next(by_github, None) or next(by_us, None)


def _ours(run: GitHubRun, deployment: Deployment) -> dict[str, Any]:
    """By what our record is known: one run may deploy several stacks of one commit, so may one job."""
    return {"run": run.id, "job": run.job, "stack": deployment.stack, "sha": deployment.sha}


def _job_page(repo: Repository, run: GitHubRun) -> str:
    """The page of this job, to which GitHub's record of it leads; empty where it cannot be told.

    A runner is not told the number of its job. It has one job at a time: that names it.
    """
    if not (run.attempt and run.runner):
        return ""
    path = f"/actions/runs/{run.id}/attempts/{run.attempt}/jobs"
    try:
        found = [job for job in pages(repo, path, "jobs") if job["runner_name"] == run.runner]
    except GitHubFault as fault:
        if fault.status not in _REFUSED:
            raise
        return ""
    going = [number(job, "id") for job in found if job["status"] == "in_progress"]
    return f"{run.url}/job/{going[0]}" if len(going) == 1 else ""


def _since(repo: Repository, environment: str, start: datetime) -> Iterator[Record]:
    """The records of an environment since the start of this run; GitHub lists the newest first."""
    older = 0
    for record in pages(repo, "/deployments", environment=environment):
        if datetime.fromisoformat(text(record, "created_at")) >= start:
            yield record
            continue
        older += 1
        if older == _OLDER:
            return


def _payload(record: Record) -> dict[str, Any] | None:
    """What we once wrote into a record; None for others. GitHub may hand JSON back as a text."""
    payload = record["payload"]
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    found = payload.get(_KEY) if isinstance(payload, dict) else None
    return found if isinstance(found, dict) else None


def _of_run(repo: Repository, record: Record, run: GitHubRun, commit: str, page: str) -> bool:
    """Whether GitHub made the record for this job: a status of it leads to its ``page``.

    Where that is not known, one that leads to a job of this run is taken for it; one that leads to no run at
    all when it has this run's commit.
    """
    if (record["creator"] or {}).get("login") != "github-actions[bot]":
        return False
    urls = [url for status in _statuses(repo, record) for url in _urls(status)]
    if any("/actions/runs/" in url for url in urls):
        return any(f"{url}/".startswith(f"{page or run.url}/") for url in urls)
    return text(record, "sha") == commit


def _statuses(repo: Repository, record: Record) -> Iterator[dict[str, Any]]:
    """The newest first."""
    return pages(repo, f"/deployments/{number(record, 'id')}/statuses")


def _urls(status: dict[str, Any]) -> list[str]:
    return [url for name in ("log_url", "target_url") if isinstance(url := status.get(name), str)]


def _made(repo: Repository, run: GitHubRun, deployment: Deployment) -> Record:
    """A record of ours; raises ``ForgeFault`` without a commit.

    GitHub shall merge nothing for it, nor wait for checks: those were judged before.
    """
    if not deployment.sha:
        raise no_commit(deployment)
    made = repo.create_deployment(
        deployment.sha,
        auto_merge=False,
        required_contexts=[],
        payload={_KEY: _ours(run, deployment)},
        environment=deployment.environment,
        description=one_line(deployment.version, _DESCRIPTION),
        transient_environment=False,
        production_environment=deployment.production,
    )
    return {"id": made.id, "sha": a_text(made.sha)}


def _description(deployment: Deployment, record: Record) -> str:
    if deployment.sha in ("", text(record, "sha")):
        return one_line(f"{deployment.version}: {deployment.description}", _DESCRIPTION)
    version = one_line(deployment.version, 60)
    return one_line(f"{version} (commit {deployment.sha[:12]}): {deployment.description}", _DESCRIPTION)
