"""What GitLab is asked, as JSON: lists are bounded, and no URL that an answer holds is followed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from gitlab.v4.objects import Project

from ci_lib.forge.gitlab_client import Access
from ci_lib.forge.gitlab_transport import GitLabFault

PAGES: Final = 50
"""Pages of one list that are asked for, of a hundred entries each."""

_PAGE: Final = 100


def maybe(access: Access, path: str) -> dict[str, Any] | None:
    """The JSON object at a path below the project's; None where there is none that a token may see."""
    try:
        return access.first(lambda project: one(project, path))
    except GitLabFault as fault:
        if fault.status != 404:
            raise
        return None


def one(project: Project, path: str, *, below: str = "") -> dict[str, Any]:
    """The JSON object at a path below the project's, or below ``below`` (``/user``)."""
    found = project.manager.gitlab.http_get((below or base(project)) + path)
    if not isinstance(found, dict):
        raise TypeError
    return found


def pages(project: Project, path: str, *, below: str = "", **query: str) -> Iterator[dict[str, Any]]:
    """All entries of a list; raises ``GitLabFault`` when it has more than ``PAGES`` pages."""
    number = 1
    for _ in range(PAGES):
        asked = {**query, "per_page": str(_PAGE), "page": str(number)}
        answer = project.manager.gitlab.http_request("get", (below or base(project)) + path, query_data=asked)
        entries = answer.json()
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TypeError
        yield from entries
        # A proxy may have dropped the header: then a page that is full is not the last one.
        following = answer.headers.get("x-next-page", str(number + 1) if len(entries) >= _PAGE else "")
        if not following:
            return
        if int(following) <= number:
            raise ValueError
        number = int(following)
    raise GitLabFault(f"{path}: the list has more than {PAGES} pages", hint="tidy it up")


def base(project: Project) -> str:
    """The project's path in the API."""
    return f"/projects/{project.encoded_id}"


def part(text: str) -> str:
    """A name as one part of a path; raises ``ValueError`` for one that would leave it."""
    if text in ("", ".", ".."):
        raise ValueError
    return quote(text, safe="")


def text(found: Mapping[str, Any], name: str) -> str:
    """A text that has to be there; raises ``TypeError`` or ``KeyError`` for anything else."""
    value = found[name]
    if not isinstance(value, str):
        raise TypeError
    return value
