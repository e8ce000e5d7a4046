"""GitLab CI: what it says about the run, in its predefined variables.

Source: ``doc/ci/variables/predefined_variables.md`` and ``lib/gitlab/ci/variables/builder.rb`` of GitLab.
All of them can be overridden: by whoever starts a pipeline with variables, where the project lets people do
that, and by the pipeline's own YAML.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from ci_lib.ci.job_files import FOLDER
from ci_lib.domain.facts import CiFacts

NAME_WIDTH: Final = 100
"""Characters of a job's name in the lock's owner; its id tells it from every other job."""

_HOSTED: Final = re.compile(r"(?<![A-Za-z0-9_.-])saas-[a-z]")
"""A tag of the runners that belong to gitlab.com: ``saas-linux-small-amd64``, ``saas-macos-medium-m1``."""

_NUMBER: Final = re.compile(r"[0-9]{1,20}")


def facts(env: Mapping[str, str], *, local_owner: str) -> CiFacts | None:
    """What GitLab says about this run; None when this is not GitLab.

    ``local_owner`` names this process for the lock where GitLab does not say which job this is. There is no
    ``author``: ``GITLAB_USER_LOGIN`` is the *job's* user, who started the pipeline or, later, this job by
    hand, or retried it; no variable tells whose the pipeline is.
    """
    if env.get("GITLAB_CI") != "true":
        return None
    return CiFacts(
        provider="gitlab",
        owner=_owner(env) or local_owner,
        actor=env.get("GITLAB_USER_LOGIN", ""),
        run_url=env.get("CI_JOB_URL", ""),
        sha=env.get("CI_COMMIT_SHA", ""),
        ref=_ref(env),
        hosted=_hosted(env),
    )


def job_folder(env: Mapping[str, str]) -> str:
    """The folder of what this job leaves for GitLab to pick up, absolute; empty where there is none."""
    project = env.get("CI_PROJECT_DIR", "")
    if env.get("GITLAB_CI") != "true" or not PurePosixPath(project).is_absolute():
        return ""
    return str(PurePosixPath(project) / FOLDER)


def _owner(env: Mapping[str, str]) -> str:
    """``gitlab:<group/project>/<pipeline>/<job id>/<job name>``, each part escaped as in a URL.

    A job that is retried has another id, so equal owners are steps of one job. The name is for people alone;
    it has no slash, so that the parts can be told from the right. Nothing when the job has no id.
    """
    project, name = env.get("CI_PROJECT_PATH", ""), env.get("CI_JOB_NAME", "")
    pipeline, job = env.get("CI_PIPELINE_ID", ""), env.get("CI_JOB_ID", "")
    if not project or not all(_NUMBER.fullmatch(number) for number in (pipeline, job)):
        return ""
    told = quote(name[:NAME_WIDTH], safe="", errors="replace")
    return f"gitlab:{quote(project, safe='/', errors='replace')}/{pipeline}/{job}/{told}"


def _ref(env: Mapping[str, str]) -> str:
    """The full name of what is built; a pipeline is one of a tag, of a branch, or of a merge request."""
    tag, branch = env.get("CI_COMMIT_TAG", ""), env.get("CI_COMMIT_BRANCH", "")
    if tag:
        return f"refs/tags/{tag}"
    return f"refs/heads/{branch}" if branch else env.get("CI_MERGE_REQUEST_REF_PATH", "")


def _hosted(env: Mapping[str, str]) -> bool:
    """Whether this is a machine of gitlab.com, which is thrown away after the job.

    No variable says so; the tags of those runners are documented. ``CI_DISPOSABLE_ENVIRONMENT`` says no more
    than that the executor is not a plain shell: a container of one's own runner may have a volume that stays.
    """
    return env.get("CI_SERVER_HOST") == "gitlab.com" and bool(_HOSTED.search(env.get("CI_RUNNER_TAGS", "")))
