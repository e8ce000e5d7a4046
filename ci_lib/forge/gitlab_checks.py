"""What checked a commit on GitLab, and which variables a job is given there.

Sources: https://docs.gitlab.com/api/commits/ (List commit statuses),
https://docs.gitlab.com/api/project_level_variables/, https://docs.gitlab.com/api/group_level_variables/
"""

from itertools import accumulate
from typing import Any, Final

from gitlab.v4.objects import Project

from ci_lib.domain.forge import CheckState, CommitCheck
from ci_lib.domain.text import one_line
from ci_lib.forge.gitlab_client import Access, asking, own_token
from ci_lib.forge.gitlab_json import one, pages, part, text
from ci_lib.forge.gitlab_rules import fits
from ci_lib.forge.gitlab_run import GitLabRun

_STATES: Final = {
    "success": CheckState.PASSED,
    "failed": CheckState.FAILED,
    "canceled": CheckState.FAILED,
    "canceling": CheckState.FAILED,
    "skipped": CheckState.SKIPPED,
    "created": CheckState.RUNNING,
    "waiting_for_resource": CheckState.RUNNING,
    "preparing": CheckState.RUNNING,
    "waiting_for_callback": CheckState.RUNNING,
    "pending": CheckState.RUNNING,
    "running": CheckState.RUNNING,
    "manual": CheckState.RUNNING,
    "scheduled": CheckState.RUNNING,
}
_HARMLESS: Final = frozenset({"failed", "canceled", "manual"})
"""What does not hold a pipeline up where the job is allowed to fail: it says nothing of the commit."""

_NEEDS: Final = own_token("Maintainer, and Owner of each group above the project")


def commit_checks(access: Access, run: GitLabRun, sha: str) -> tuple[CommitCheck, ...]:
    """The checks of a commit, sorted by name; raises ``ForgeFault``.

    They are jobs of its pipelines and what other services reported. Of one name the newest of each pipeline
    is listed: a failure is not made good by another pipeline, and one without that name need not test again.
    A job that may fail, and did, counts as skipped. The job that asks is left out.
    """
    with asking(f"the checks of {one_line(sha)}", needs=own_token("Reporter", "read_api")):
        path = f"/repository/commits/{part(sha)}/statuses"
        found = access.first(lambda project: list(pages(project, path)))
        newest = {_place(each): each for each in sorted(found, key=lambda each: int(each["id"]))}
        return tuple(
            CommitCheck(name=name, state=_state(each), url=each["target_url"] or "")
            for (name, *_), each in sorted(newest.items())
            if each["id"] != run.job
        )


def _place(found: dict[str, Any]) -> tuple[str, int, int]:
    """Name and pipeline, in which a newer one takes the older one's place.

    GitLab before 16.3 does not say the pipeline. It leaves out by itself what was retried: each counts then.
    """
    pipeline = found.get("pipeline_id")
    own = (0, int(found["id"])) if pipeline is None else (int(pipeline), 0)
    return (text(found, "name"), *own)


def _state(found: dict[str, Any]) -> CheckState:
    status = text(found, "status")
    if status in _HARMLESS and found["allow_failure"] is True:
        return CheckState.SKIPPED
    return _STATES[status]


def variable_names(access: Access, run: GitLabRun, environment: str) -> frozenset[str]:
    """Names of the variables of project and groups that a job of an environment gets; raises ``ForgeFault``.

    Protected ones count where this job's branch or tag is protected. Variables of the whole instance are
    shown to administrators alone, and are not among them. GitLab sends the values too; they are dropped.
    """
    with asking(f"the names of variables of {one_line(environment)}", needs=_NEEDS):
        project = access.own(_NEEDS)
        lists = [pages(project, "/variables")]
        lists += [pages(project, f"/{part(group)}/variables", below="/groups") for group in _groups(project)]
        return frozenset(
            text(found, "key")
            for variables in lists
            for found in variables
            if fits(text(found, "environment_scope"), environment)
            and (run.protected or found["protected"] is not True)
        )


def _groups(project: Project) -> list[str]:
    """The groups above the project, from the outermost; none for a person's own project."""
    space = one(project, "")["namespace"]
    if text(space, "kind") != "group":
        return []
    return list(accumulate(text(space, "full_path").split("/"), "{}/{}".format))
