"""Cut GitHub's OpenAPI document down to what we ask: python -m tests.contract.forge.cut_github DOCUMENT

DOCUMENT is ``generated/api.github.com.json`` of the npm package ``@octokit/openapi`` (MIT; the notice is kept
in the result). Descriptions and examples go, and so does what is documented only for people.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

CONTRACT: Final = Path(__file__).with_name("github.json")

_NOTICE: Final = """\
MIT License Copyright (c) 2020 Octokit contributors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice (including the next paragraph) shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN
AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE
OR OTHER DEALINGS IN THE SOFTWARE.
"""

_REPO: Final = "/repos/{owner}/{repo}"
KEPT: Final = {
    f"{_REPO}{path}": methods.split()
    for path, methods in {
        "": "get",
        "/actions/organization-secrets": "get",
        "/actions/organization-variables": "get",
        "/actions/runs/{run_id}": "get",
        "/actions/runs/{run_id}/approvals": "get",
        "/actions/runs/{run_id}/attempts/{attempt_number}": "get",
        "/actions/runs/{run_id}/attempts/{attempt_number}/jobs": "get",
        "/actions/secrets": "get",
        "/actions/variables": "get",
        "/branches": "get",
        "/branches/{branch}": "get",
        "/branches/{branch}/protection": "get",
        "/commits/{ref}/check-runs": "get",
        "/commits/{ref}/statuses": "get",
        "/deployments": "get post",
        "/deployments/{deployment_id}/statuses": "get post",
        "/environments": "get",
        "/environments/{environment_name}": "get",
        "/environments/{environment_name}/deployment-branch-policies": "get",
        "/environments/{environment_name}/secrets": "get",
        "/environments/{environment_name}/variables": "get",
        "/git/ref/{ref}": "get",
        "/issues": "get post",
        "/issues/comments/{comment_id}": "get patch",
        "/issues/{issue_number}": "get patch",
        "/issues/{issue_number}/comments": "get post",
        "/releases": "get post",
        "/releases/assets/{asset_id}": "delete",
        "/releases/tags/{tag}": "get",
        "/releases/{release_id}": "get patch",
        "/releases/{release_id}/assets": "get post",
        "/rules/branches/{branch}": "get",
        "/rulesets/{ruleset_id}": "get",
    }.items()
}

# Not in GitHub's document: the one question that we ask of GraphQL.
_GRAPHQL: Final = {
    "post": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["query"],
                        "properties": {
                            "query": {"enum": ["query { viewer { login } }"]},
                            "variables": {"type": "object"},
                        },
                    }
                }
            },
        },
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}},
    }
}
# Nor this, which is in the answers of https://docs.github.com/en/rest/deployments/environments all the same;
# what it means: https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments,
# "Allow administrators to bypass configured protection rules".
_BYPASS: Final = {"can_admins_bypass": {"type": "boolean"}}
_NOISE: Final = frozenset(
    {"description", "summary", "title", "example", "examples"}
    | {"externalDocs", "tags", "operationId", "deprecated"}
)


def cut(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the kept operations and what they refer to."""
    paths: dict[str, Any] = {
        path: {method: _bare(document["paths"][path][method]) for method in methods}
        for path, methods in KEPT.items()
    }
    paths["/graphql"] = _GRAPHQL
    components: dict[str, dict[str, Any]] = {}
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/")
        if name not in components.setdefault(kind, {}):
            part = components[kind][name] = _bare(document["components"][kind][name])
            waiting += _references(part)
    components["schemas"]["environment"]["properties"].update(_BYPASS)
    operations = [operation for methods in paths.values() for operation in methods.values()]
    for answers in (components["responses"], *(operation["responses"] for operation in operations)):
        for answer in answers.values():
            if "$ref" not in answer:
                answer["description"] = ""  # OpenAPI wants one
    info = {key: document["info"][key] for key in ("version", "license")}
    return {
        "openapi": document["openapi"],
        "info": {
            "title": "A part of GitHub's official OpenAPI document, by @octokit/openapi",
            **info,
            "x-notice": _NOTICE,
        },
        "servers": [{"url": "https://api.github.com"}],
        "paths": paths,
        "components": {kind: dict(sorted(parts.items())) for kind, parts in sorted(components.items())},
    }


def _bare(part: Any, *, names: bool = False) -> Any:
    """Without what is for people; ``names``: the keys here are names of properties, none of them noise."""
    if isinstance(part, list):
        return [_bare(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    if part.get("nullable") is True and isinstance(part.get("enum"), list) and None not in part["enum"]:
        part = {**part, "enum": [*part["enum"], None]}  # as it is meant; OpenAPI 3.0 wants it said
    return {
        key: _bare(value, names=key in ("properties", "headers") and not names)
        for key, value in part.items()
        if names or not (key in _NOISE or key.startswith("x-"))
    }


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


if __name__ == "__main__":
    found = cut(json.loads(Path(sys.argv[1]).read_text()))
    CONTRACT.write_text(json.dumps(found, indent=1) + "\n")
