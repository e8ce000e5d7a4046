"""``gitlab.yaml``: every request of the adapter and every answer of the fake is held against it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from ruamel.yaml import YAML

from ci_lib.ports.protocols import Response
from tests.contract.forge.contract import Broken

API = "https://gitlab.example/api/v4"


@cache
def document() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(Path(__file__).with_name("gitlab.yaml")))


@cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(document())


def check_request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
    """Method, path, query, headers and body have to be of the document; nothing in them may be unknown."""
    kind = headers.get("Content-Type", "")
    tokens = tuple(name for name in ("JOB-TOKEN", "PRIVATE-TOKEN") if headers.get(name))
    if len(tokens) != 1:
        raise Broken(f"{method} {path} has {len(tokens)} tokens")
    _check_request(method, path, tokens[0], kind, body if kind == "application/json" else body[:1])


@cache
def _check_request(method: str, path: str, token: str, kind: str, body: bytes) -> None:
    asked = _mock(method, path, token, kind, body)
    what = f"{method} {path}"
    try:
        _openapi().validate_request(asked)
    except OpenAPIError as error:
        causes = [str(error), *(str(one) for one in getattr(error.__cause__, "schema_errors", ()))]
        raise Broken(f"{what}: {' '.join(causes)[:2000]}") from error
    named = {resolved(each)["name"] for each in operation(method, urlsplit(path).path).get("parameters", ())}
    if unknown := {name for name, _ in parse_qsl(urlsplit(path).query)} - named:
        raise Broken(f"{what}: unknown in the query: {unknown}")


def check_answer(method: str, path: str, answer: Response) -> None:
    """Status and body have to be of the document."""
    _check_answer(method, path, answer.status, answer.body)


@cache
def _check_answer(method: str, path: str, status: int, body: bytes) -> None:
    told = MockResponse(body, status, {}, "application/json" if body else "")
    try:
        _openapi().validate_response(_mock(method, path, "JOB-TOKEN", "application/json", b""), told)
    except OpenAPIError as error:
        causes = [str(error), *(str(one) for one in getattr(error.__cause__, "schema_errors", ()))]
        raise Broken(f"the answer to {method} {path}: {' '.join(causes)[:2000]}") from error


def _mock(method: str, path: str, token: str, kind: str, body: bytes) -> MockRequest:
    parts = urlsplit(path)
    return MockRequest(
        "https://gitlab.example",
        method.lower(),
        f"/api/v4{parts.path}",
        args=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={token: "x"},
        data=body,
        content_type=kind,
    )


def resolved(part: Any) -> Any:
    """What a ``$ref`` stands for."""
    while "$ref" in part:
        found: Any = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def operation(method: str, path: str) -> Mapping[str, Any]:
    """The document's words on a call; the most literal path counts."""
    segments = path.split("/")
    found = [
        (sum(name[:1] == "{" for name in known.split("/")), methods[method.lower()])
        for known, methods in document()["paths"].items()
        if method.lower() in methods and _fits(known.split("/"), segments)
    ]
    if not found:
        raise Broken(f"{method} {path} is not in the document")
    return min(found, key=lambda each: each[0])[1]


def _fits(names: list[str], segments: list[str]) -> bool:
    pairs = zip(names, segments, strict=False)
    return len(names) == len(segments) and all(one[:1] == "{" or one == unquote(two) for one, two in pairs)


def encoded(value: Any) -> bytes:
    return b"" if value is None else json.dumps(value).encode()
