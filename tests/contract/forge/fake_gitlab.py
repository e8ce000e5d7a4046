"""A GitLab in memory, as a ``Net``: it remembers what it is told, and every exchange has to fit the contract.

``faults`` makes a request fail: the key is its number, from 0, the value a ``Fault``. A fault may come before
the request was done, or after it: then the answer alone is lost. A job's token may do here what it may do at
GitLab; everything else is hidden from it, as a private project is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ci_lib.ports.protocols import NO_ENV, Response
from tests.contract.forge import gitlab_pages
from tests.contract.forge.contract import Broken
from tests.contract.forge.gitlab_contract import API, check_answer, check_request, encoded

JOB = "glcbt-64_SecretOfTheJob0123456789"
OWN = "glpat-SecretOfThePerson0123456789"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens in place of an answer; ``done``: the request was done all the same."""

    name: str
    answer: Response | Exception
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that arrived: path below the API, query, JSON or bytes of the body, and by which token."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    by: str
    timeout: float


@dataclass(kw_only=True)
class FakeGitLab:
    """`world` is what there is; `page` bounds a page of a list; `counted` sends X-Next-Page."""

    world: gitlab_pages.World = field(default_factory=gitlab_pages.World)
    api: str = API
    page: int = 100
    counted: bool = True
    faults: dict[int, Fault] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_ENV,
        body: bytes = b"",
        timeout: float,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        """Answer, after checking that the request is one of the contract, and has one token in its header."""
        if not url.startswith(f"{self.api}/") or JOB in url or OWN in url or not 0 < timeout <= 300:
            raise Broken(f"{method} {url} is none for this GitLab")
        path = url.removeprefix(self.api)
        check_request(method, path, headers, body)
        asked = _asked(method, path, headers, body, timeout)
        fault = self.faults.get(len(self.asked))
        self.asked.append(asked)
        if fault is not None and not fault.done:
            return _happen(fault)
        answer = self._answer(asked)
        if answer.status < 300:
            check_answer(method, path, answer)
        return _happen(fault) if fault else answer

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        raise Broken("nobody talks to GitLab without HTTP")

    def writes(self) -> list[tuple[str, str]]:
        """Methods and paths of the requests that change something."""
        return [(one.method, one.path) for one in self.asked if one.method != "GET"]

    def _answer(self, asked: Asked) -> Response:
        for method, pattern, for_jobs, page in gitlab_pages.PAGES:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                if asked.by == "job" and not (for_jobs and self.world.job_token_works):
                    return _said(404, {"message": "404 Project Not Found"})
                if asked.by == "own" and self.world.own_role < 40 and page in gitlab_pages.FOR_MAINTAINERS:
                    return _said(403, {"message": "403 Forbidden"})
                return self._told(asked, *page(self.world, asked, *map(unquote, found.groups())))
        raise Broken(f"the fake has no {asked.method} {asked.path}")

    def _told(self, asked: Asked, status: int, value: Any) -> Response:
        headers: dict[str, str] = {}
        if isinstance(value, list):
            size, number = (
                min(int(asked.query.get("per_page", 20)), self.page),
                int(asked.query.get("page", 1)),
            )
            more = number * size < len(value)
            headers = {"x-next-page": str(number + 1) if more else ""} if self.counted else {}
            value = value[(number - 1) * size : number * size]
        return _said(status, value, headers)


def _said(status: int, value: Any, headers: Mapping[str, str] = NO_ENV) -> Response:
    return Response(
        status=status, headers={"content-type": "application/json", **headers}, body=encoded(value)
    )


def _asked(method: str, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Asked:
    parts = urlsplit(path)
    by = "job" if headers.get("JOB-TOKEN") == JOB else "own" if headers.get("PRIVATE-TOKEN") == OWN else ""
    if not by:
        raise Broken(f"{method} {path} has a token of nobody")
    return Asked(
        method=method,
        path=parts.path,
        query={name: values[0] for name, values in parse_qs(parts.query).items()},
        body=json.loads(body) if body and "json" in headers.get("Content-Type", "") else body,
        by=by,
        timeout=timeout,
    )


def _happen(fault: Fault) -> Response:
    if isinstance(fault.answer, Exception):
        raise fault.answer
    return fault.answer
