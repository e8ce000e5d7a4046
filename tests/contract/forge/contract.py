"""A forge's OpenAPI document: every request of an adapter and every answer of a fake is held against it."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema_path import SchemaPath
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from ci_lib.ports.protocols import Response


class Broken(BaseException):
    """The contract is broken. No adapter can take this for a fault of the forge: it is no ``Exception``."""


class Contract:
    """An OpenAPI document; ``prefix`` is the URL of the API in it."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.document = json.loads(path.read_text())
        self._prefix = prefix
        # The document itself is checked by test_github_contract.py, once.
        self._passed: set[tuple[str, ...]] = set()  # what was checked already: a check takes some ms
        self._openapi = OpenAPI(SchemaPath.from_dict(self.document), config=Config(spec_validator_cls=None))

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> MockRequest:
        """The request, after it was checked: path, method, query, body; none of them may be unknown."""
        parts = urlsplit(url)
        path = parts.path
        base = "https://uploads.github.com" if parts.hostname == "uploads.github.com" else self._prefix
        kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        asked = MockRequest(
            base,
            method.lower(),
            self._one_segment(path),
            args={name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
            headers=dict(headers),
            data=body,
            content_type=kind,
        )
        if body and kind != "application/json":
            return asked  # a file: there is nothing in it to check

        def check() -> None:
            self._check(f"{method} {url}", lambda: self._openapi.validate_request(asked))
            self._known(asked, f"{method} {url}")

        self._once((method, url, kind, str(body)), check)
        return asked

    def answer(self, asked: MockRequest, answer: Response) -> None:
        """Check what a fake answers."""
        told = MockResponse(
            answer.body, answer.status, dict(answer.headers), "application/json" if answer.body else ""
        )
        what = f"the answer to {asked.method} {asked.path}"
        self._once(
            (what, str(answer.status), str(answer.body)),
            lambda: self._check(what, lambda: self._openapi.validate_response(asked, told)),
        )

    def _once(self, key: tuple[str, ...], check: Callable[[], None]) -> None:
        if key not in self._passed:
            check()
            self._passed.add(key)

    @staticmethod
    def _one_segment(path: str) -> str:
        head, found, ref = path.partition("/git/ref/")
        return f"{head}{found}{ref.replace('/', '%2F')}"

    @staticmethod
    def _check(what: str, check: Any) -> None:
        try:
            check()
        except OpenAPIError as error:
            causes = [str(error), *(str(one) for one in getattr(error.__cause__, "schema_errors", ()))]
            raise Broken(f"{what}: {' '.join(causes)[:2000]}") from error

    def _known(self, asked: MockRequest, what: str) -> None:
        """Neither parameters nor fields that the document does not know."""
        operation = self._operation(asked)
        named = {self.resolved(parameter)["name"] for parameter in operation.get("parameters", ())}
        if unknown := set(asked.parameters.query) - named:
            raise Broken(f"{what}: unknown in the query: {unknown}")
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if asked.body and content is not None:
            fields = set(self.resolved(content["schema"]).get("properties", ()))
            if unknown := set(json.loads(asked.body)) - fields:
                raise Broken(f"{what}: unknown in the body: {unknown}")

    def _operation(self, asked: MockRequest) -> Mapping[str, Any]:
        segments = asked.path.split("/")
        for path, methods in self.document["paths"].items():
            names = path.split("/")
            pairs = zip(names, segments, strict=False)
            fits = len(names) == len(segments) and all(one == two or one[:1] == "{" for one, two in pairs)
            if fits and asked.method in methods:
                return dict(methods[asked.method])
        raise Broken(f"{asked.method} {asked.path} is not in the document")

    def resolved(self, part: Any) -> Any:
        """What a ``$ref`` stands for."""
        while "$ref" in part:
            found = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            part = found
        return part

    def made(self, schema: str, **fields: Any) -> dict[str, Any]:
        """An object of a schema: its required fields with anything that fits, and ``fields``."""
        found = {**self.document["components"]["schemas"][schema], "nullable": False}
        return {**self._filled(found), **fields}

    def _filled(self, schema: Any) -> Any:
        schema = self.resolved(schema)
        for choice in ("oneOf", "anyOf"):
            if choice in schema and "type" not in schema:
                return self._filled(schema[choice][0])
        if "allOf" in schema:
            return {name: value for part in schema["allOf"] for name, value in self._filled(part).items()}
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        match schema.get("type"):
            case "object" | None:
                properties = schema.get("properties", {})
                return {name: self._filled(properties[name]) for name in schema.get("required", ())}
            case "array":
                return []
            case "string":
                return {"date-time": "2026-01-02T03:00:00Z", "uri": "https://api.github.com/x"}.get(
                    schema.get("format", ""), "x" * schema.get("minLength", 1)
                )
            case "boolean":
                return False
            case _:
                return 1


@cache
def github() -> Contract:
    """GitHub's, loaded once."""
    return Contract(Path(__file__).with_name("github.json"), "https://api.github.com")
