"""The record of a deployment on GitLab.

A job with ``environment:`` makes GitLab write one by itself, with the commit of the pipeline, and lets nobody
change it: a second one beside it would show one deployment twice. So a job that may deploy another commit has
``environment: {name: …, action: access}`` (or ``prepare``, ``verify``), with which GitLab writes none; then
the record is ours, with the version's own commit.

A record has no room for a word of ours: not for the stack, nor for the job. So one that is there is never
changed, since it may be another's. A call whose answer was lost is known by what it left: a record by the API
since this job began, with the same commit and state. A record is written when all is over, never as
``running``: no run that is killed leaves one behind that goes on for ever.

Sources: https://docs.gitlab.com/api/deployments/, https://docs.gitlab.com/api/pipelines/
"""

from dataclasses import replace
from itertools import islice
from typing import Any, Final

from gitlab.v4.objects import Project

from ci_lib.domain.forge import Deployment, DeploymentState, ForgeFault, no_commit
from ci_lib.domain.text import one_line
from ci_lib.forge.gitlab_client import Access, asking
from ci_lib.forge.gitlab_json import base, maybe, part, text
from ci_lib.forge.gitlab_run import GitLabRun
from ci_lib.forge.gitlab_runs import deployments
from ci_lib.forge.gitlab_transport import REFUSED, GitLabFault

_NAME: Final = 255
_NAMELESS: Final = frozenset({403, 404})
"""Answers of a GitLab whose pipelines take no name from us."""

_STATUSES: Final = {DeploymentState.SUCCESS: "success", DeploymentState.FAILURE: "failed"}


def record_deployment(access: Access, run: GitLabRun, deployment: Deployment) -> str:
    """Say what this run did, where GitLab does not say it by itself.

    Raises ``ForgeFault``, also where GitLab's own record has another commit than the version.

    GitLab shows as deployed what succeeded last, and an earlier job may have recorded success of what was
    taken back since: so the version that serves again gets a success of its own, after the failure.

    Returns the URL of the environment, or that of all where GitLab has the record.
    """
    by_gitlab = run.recorded(deployment.environment)
    url = f"{run.url}/-/environments" if by_gitlab else _made(access, run, deployment)
    if deployment.back:  # no job of this run deployed it, so GitLab has no record of this
        again = replace(
            deployment, version=deployment.back, sha=deployment.back_sha, state=DeploymentState.SUCCESS
        )
        url = _made(access, run, again)
    if by_gitlab and deployment.sha not in ("", run.sha):
        raise _other_commit(run, deployment)
    return url


def _other_commit(run: GitLabRun, deployment: Deployment) -> ForgeFault:
    """Why GitLab's own record, which nobody can change, does not show what was deployed."""
    return ForgeFault(
        f"its own record of this job has the pipeline's commit {run.sha[:12]}, and "
        f"{one_line(deployment.version, 60)} is of {deployment.sha[:12]}",
        hint="with `environment: {action: access}` the job has a record of ours, with the right commit",
    )


def _made(access: Access, run: GitLabRun, deployment: Deployment) -> str:
    if not deployment.sha:
        raise no_commit(deployment)
    with asking(f"the deployment record of {one_line(deployment.environment)}"):
        ref, is_tag = _ref(access, run, deployment)
        wanted = {
            "environment": deployment.environment,
            "sha": deployment.sha,
            "ref": ref,
            "tag": is_tag,
            "status": _STATUSES[deployment.state],
        }
        number = access.first(lambda project: _put(project, run, wanted))
    return f"{run.url}/-/environments/{number}"


def name_pipeline(access: Access, run: GitLabRun, name: str) -> None:
    """Name the pipeline, as lists of pipelines show it; raises ``ForgeFault``.

    Nobody asked for the name: a GitLab before 16.6, which does not know it, or one that lets the token not do
    it, just keeps its own.
    """
    wanted = {"name": one_line(name, _NAME)}
    with asking("the name of the pipeline"):
        try:
            access.first(
                lambda project: project.manager.gitlab.http_put(
                    f"{base(project)}/pipelines/{run.pipeline}/metadata", post_data=wanted
                )
            )
        except GitLabFault as fault:
            if fault.status not in _NAMELESS:
                raise


def _put(project: Project, run: GitLabRun, wanted: dict[str, Any]) -> int:
    """Make the record where no earlier call has; the environment's number."""
    record = _same(project, run, wanted)
    if record is None:
        record = project.deployments.create(wanted).asdict()
    return int(record["environment"]["id"])


def _same(project: Project, run: GitLabRun, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """A record by the API since this job began, with this commit and state.

    A success has to be the newest: behind another one it would not be what the environment shows.
    """
    found = deployments(project, run.started or run.created, wanted["environment"])
    ours = (each for each in found if each["deployable"] is None)
    looked_at = islice(ours, 1) if wanted["status"] == "success" else ours
    same = (wanted["sha"], wanted["status"])
    return next((each for each in looked_at if (text(each, "sha"), text(each, "status")) == same), None)


def _ref(access: Access, run: GitLabRun, deployment: Deployment) -> tuple[str, bool]:
    """The branch or tag of the version's commit, and whether it is a tag.

    What the pipeline is of, where that is its commit; or else the tag with the version's name, or the branch.
    """
    if deployment.sha == run.sha:
        return run.ref, run.is_tag
    if _tagged(access, deployment.version, deployment.sha):
        return deployment.version, True
    return (run.default_branch if run.is_tag or run.request else run.ref) or run.default_branch, False


def _tagged(access: Access, tag: str, sha: str) -> bool:
    """Whether that is a tag of the commit; a token that may not look finds none."""
    try:
        found = maybe(access, f"/repository/tags/{part(tag)}")
    except GitLabFault as fault:
        if fault.status not in REFUSED:
            raise
        return False
    return found is not None and text(found["commit"], "id") == sha
