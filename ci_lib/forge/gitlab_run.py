"""Which job this is, and where its GitLab answers: from what the runner says.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OURS: Final = frozenset({"", "start"})
"""Actions of ``environment:`` with which GitLab records a deployment; none means ``start``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabRun:
    """Where we are: ``api`` is CI_API_V4_URL, ``project`` the number of ``path`` (``acme/shop``).

    ``url`` is the project's page. ``ref`` is what is built, a tag's name where ``is_tag``; ``protected``
    whether it is protected. ``request`` is the number of the merge request, 0 for none. ``created`` is when
    the pipeline was made, ``started`` when the job began; None where that is not said.
    """

    api: str
    project: int
    path: str
    url: str
    pipeline: int
    job: int
    sha: str = ""
    ref: str = ""
    is_tag: bool = False
    default_branch: str = ""
    protected: bool = False
    request: int = 0
    environment: str = ""
    action: str = ""
    created: datetime | None = None
    started: datetime | None = None

    @property
    def job_url(self) -> str:
        """The page of the job."""
        return f"{self.url}/-/jobs/{self.job}"

    def recorded(self, environment: str) -> bool:
        """Whether GitLab itself records a deployment to this environment for the job."""
        return self.environment == environment and self.action in _OURS


def run_of(env: Mapping[str, str]) -> GitLabRun | None:
    """The job that the runner's variables name; None where they name none.

    Tokens are sent to ``CI_API_V4_URL``: never without TLS, but for a test's server on this machine.
    """
    api = env.get("CI_API_V4_URL", "").rstrip("/")
    numbers = [env.get(name, "") for name in ("CI_PROJECT_ID", "CI_PIPELINE_ID", "CI_JOB_ID")]
    if not (_safe(api) and all(_NUMBER.fullmatch(number) for number in numbers)):
        return None
    project, pipeline, job = (int(number) for number in numbers)
    request = env.get("CI_MERGE_REQUEST_IID", "")
    return GitLabRun(
        api=api,
        project=project,
        path=env.get("CI_PROJECT_PATH", ""),
        url=env.get("CI_PROJECT_URL", "").rstrip("/"),
        pipeline=pipeline,
        job=job,
        sha=env.get("CI_COMMIT_SHA", ""),
        ref=env.get("CI_COMMIT_REF_NAME", ""),
        is_tag=bool(env.get("CI_COMMIT_TAG")),
        default_branch=env.get("CI_DEFAULT_BRANCH", ""),
        protected=env.get("CI_COMMIT_REF_PROTECTED") == "true",
        request=int(request) if _NUMBER.fullmatch(request) else 0,
        environment=env.get("CI_ENVIRONMENT_NAME", ""),
        action=env.get("CI_ENVIRONMENT_ACTION", ""),
        created=_moment(env.get("CI_PIPELINE_CREATED_AT", "")),
        started=_moment(env.get("CI_JOB_STARTED_AT", "")),
    )


def _safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.username is None and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return plain and bool(parts.hostname) and secure and parts.path.endswith("/api/v4")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
