"""A GitHub in memory, as a ``Net``: it remembers what it is told, and every exchange has to fit the contract.

``faults`` makes a request fail: the key is its number, from 0, the value a ``Fault``. A fault may come before
the request was done, or after it: then the answer alone is lost.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ci_lib.ports.protocols import NO_ENV, Response
from tests.contract.forge import github_pages
from tests.contract.forge.contract import Broken, github

TOKEN = "ghs_SecretOfTheJob0123456789"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens in place of an answer; ``done``: the request was done all the same."""

    name: str
    answer: Response | Exception
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that arrived: path below the API, first values of the query, JSON or bytes of the body."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    timeout: float


@dataclass(kw_only=True)
class FakeGitHub:
    """`world` is what there is (see `github_pages.World`); `page` bounds a page of a list."""

    world: github_pages.World = field(default_factory=github_pages.World)
    api: str = "https://api.github.com"
    page: int = 100
    faults: dict[int, Fault] = field(default_factory=dict)
    broken: Callable[[Asked, Response], Response] = lambda _, answer: answer
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
        """Answer, after checking that the request is one of the contract, and has the token."""
        path = self._path(url)
        host = (
            "https://uploads.github.com" if url.startswith("https://uploads.") else "https://api.github.com"
        )
        contract = github().request(method, f"{host}{path}", headers, body)
        if headers.get("Authorization") != f"token {TOKEN}" or TOKEN in url:
            raise Broken(f"{method} {url} has no token, or shows it")
        asked = _asked(method, path, headers, body, timeout)
        fault = self.faults.get(len(self.asked))
        self.asked.append(asked)
        if fault is not None and not fault.done:
            return _happen(fault)
        answer = self._answer(asked)
        if answer.status < 300:
            github().answer(contract, answer)
        return _happen(fault) if fault else self.broken(asked, answer)

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        raise Broken("nobody talks to GitHub without HTTP")

    def writes(self) -> list[tuple[str, str]]:
        """Methods and paths of the requests that change something."""
        found = [(one.method, one.path) for one in self.asked]
        return [(method, path) for method, path in found if method != "GET" and not path.endswith("/graphql")]

    def _path(self, url: str) -> str:
        upload = url.removeprefix("https://uploads.github.com")
        if url.startswith(f"{self.api}/"):
            return url.removeprefix(self.api)
        if url == self.api.replace("/v3", "/graphql") and self.api.endswith("/v3"):
            return "/graphql"
        if upload == url:
            raise Broken(f"{url} is no place of this GitHub")
        return upload

    def _answer(self, asked: Asked) -> Response:
        for method, pattern, page in github_pages.PAGES:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                parts = [unquote(part) for part in found.groups()]
                status, value = page(self.world, asked, *parts)
                return self._told(asked, status, value)
        raise Broken(f"the fake has no {asked.method} {asked.path}")

    def _told(self, asked: Asked, status: int, value: Any) -> Response:
        headers = {"content-type": "application/json"}
        if isinstance(value, github_pages.Many):
            size = min(int(asked.query.get("per_page", 30)), self.page)
            number = int(asked.query.get("page", 1))
            if number * size < len(value.entries):
                headers["link"] = f'<{self.api}{asked.path}?per_page={size}&page={number + 1}>; rel="next"'
            entries = value.entries[(number - 1) * size : number * size]
            value = {"total_count": len(value.entries), value.key: entries} if value.key else entries
        return Response(
            status=status, headers=headers, body=b"" if value is None else json.dumps(value).encode()
        )


def _asked(method: str, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Asked:
    parts = urlsplit(path)
    is_json = "json" in headers.get("Content-Type", "")
    return Asked(
        method=method,
        path=parts.path,
        query={name: values[0] for name, values in parse_qs(parts.query).items()},
        body=json.loads(body) if body and is_json else body,
        headers=dict(headers),
        timeout=timeout,
    )


def _happen(fault: Fault) -> Response:
    if isinstance(fault.answer, Exception):
        raise fault.answer
    return fault.answer
