"""What GitHub is asked, as JSON.

PyGithub does not know half of it (reviews of a run, rules of a branch), takes an answer of another shape for
an empty one, and asks once more for each entry that lacks something.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from github.Repository import Repository

from ci_lib.forge.github_transport import GitHubFault

T = TypeVar("T")

MOST: Final = 5000
"""Entries of one list; GitHub is not asked for more than fifty pages of it."""

_PAGE: Final = 100


def bounded(found: Iterable[T]) -> Iterator[T]:
    """The entries of a list; raises ``GitHubFault`` when it has more than ``MOST``."""
    for index, entry in enumerate(islice(found, MOST + 1)):
        if index == MOST:
            raise GitHubFault(f"the list has more than {MOST} entries", hint="tidy it up")
        yield entry


def one(repo: Repository, path: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON at a path below the repository's."""
    return repo.requester.requestJsonAndCheck("GET", f"{repo.url}{path}")[1]


def pages(repo: Repository, path: str, key: str = "", **query: str) -> Iterator[dict[str, Any]]:
    """All entries of a list below the repository's path; ``key`` is where they are in the answer."""
    return bounded(_pages(repo, path, key, query))


def _pages(repo: Repository, path: str, key: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    page, more = 1, True
    while more:
        headers, found = repo.requester.requestJsonAndCheck(
            "GET", f"{repo.url}{path}", parameters={**query, "per_page": _PAGE, "page": page}
        )
        entries = found[key] if key else found
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TypeError
        yield from entries
        more, page = bool(entries) and 'rel="next"' in headers.get("link", ""), page + 1


def text(found: Mapping[str, Any], name: str) -> str:
    """A text that has to be there; raises ``TypeError`` or ``KeyError`` for anything else."""
    return a_text(found[name])


def a_text(value: object) -> str:
    """A text and nothing else; PyGithub hands out None for what an answer lacks."""
    if not isinstance(value, str):
        raise TypeError
    return value


def number(found: Mapping[str, Any], name: str) -> int:
    """An id that has to be there; raises ``TypeError`` or ``KeyError`` for anything else."""
    value = found[name]
    if type(value) is not int:
        raise TypeError
    return value
