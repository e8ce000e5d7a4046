"""Which run this is, and where its GitHub answers: from what the runner says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_REQUEST: Final = re.compile(r"refs/pull/([1-9][0-9]{0,9})/(?:merge|head)")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubRun:
    """Where we are: ``repository`` is ``acme/shop``, ``request`` the number of the pull request, 0 for none.

    ``job`` is the job's key in its workflow, ``attempt`` which time the run runs, ``runner`` the name of the
    job's runner; they are empty, and 0, where that is not said. ``api`` and ``server`` are the URLs of the
    API and of the pages for people, without a slash at the end.
    """

    repository: str
    id: int
    api: str
    server: str
    request: int = 0
    job: str = ""
    attempt: int = 0
    runner: str = ""

    @property
    def url(self) -> str:
        """The page of the run, and what every URL of its jobs begins with."""
        return f"{self.server}/{self.repository}/actions/runs/{self.id}"

    def deployments(self, environment: str) -> str:
        """The page of an environment's deployments."""
        return f"{self.server}/{self.repository}/deployments/{quote(environment, safe='')}"


def run_of(env: Mapping[str, str]) -> GitHubRun | None:
    """The run that the runner's variables name; None where they name none.

    The token is sent to ``GITHUB_API_URL``: never without TLS, but for a test's server on this machine.
    """
    repository, number = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_RUN_ID", "")
    api = env.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    request = _REQUEST.fullmatch(env.get("GITHUB_REF", ""))
    attempt = env.get("GITHUB_RUN_ATTEMPT", "")
    if not (_REPOSITORY.fullmatch(repository) and _NUMBER.fullmatch(number) and _safe(api)):
        return None
    return GitHubRun(
        repository=repository,
        id=int(number),
        api=api,
        server=env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/"),
        request=int(request[1]) if request else 0,
        job=env.get("GITHUB_JOB", ""),
        attempt=int(attempt) if _NUMBER.fullmatch(attempt) else 0,
        runner=env.get("RUNNER_NAME", ""),
    )


def _safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.username is None and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        return False
    return plain and bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
