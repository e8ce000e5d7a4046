"""A template of GitLab with its inputs filled in, by GitLab's rules.

Stricter than gitlab-ci-local: an input that is not declared is an error, as on GitLab. Source of the rules:
GitLab's documentation, "CI/CD inputs". Functions are not known here, since our templates use none.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

SHA: Final = "0123456789abcdef0123456789abcdef01234567"
"""What `$[[ component.sha ]]` is in tests."""

_TYPES: Final = {"string": str, "number": int | float, "boolean": bool, "array": list}
_HOLE: Final = re.compile(r"\$\[\[ *([a-z]+)\.([\w-]+) *\]\]")


class Wrong(Exception):
    """GitLab would refuse these inputs."""


def documents(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the body of a template."""
    return split(path.read_text("utf-8"))


def split(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the body; a file without a header takes no inputs."""
    *headers, body = YAML(typ="safe").load_all(text)
    return (headers[0] if headers else {"spec": {}}), body


def render(path: Path, given: Mapping[str, object]) -> dict[str, Any]:
    """The body of a template with these inputs; raises ``Wrong``."""
    return rendered(path.read_text("utf-8"), given)


def rendered(text: str, given: Mapping[str, object]) -> dict[str, Any]:
    """The same of a text."""
    header, body = split(text)
    declared = header["spec"].get("inputs", {})
    if unknown := given.keys() - declared.keys():
        raise Wrong(f"unknown inputs: {', '.join(sorted(unknown))}")
    values = {name: _value(name, spec, given) for name, spec in declared.items()}
    context = dict.fromkeys(header["spec"].get("component", ()), SHA)
    filled: dict[str, Any] = _filled(body, {"inputs": values, "component": context})
    return filled


def _value(name: str, spec: Mapping[str, Any], given: Mapping[str, object]) -> object:
    if name not in given and "default" not in spec:
        raise Wrong(f"{name} is required")
    value = given.get(name, spec.get("default"))
    kind = spec.get("type", "string")
    if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        raise Wrong(f"{name} is no {kind}: {value!r}")
    if "options" in spec and value not in spec["options"]:
        raise Wrong(f"{name} is none of its options: {value!r}")
    if "regex" in spec and not re.search(spec["regex"], str(value)):
        raise Wrong(f"{name} does not match: {value!r}")
    return value


def _filled(node: object, context: Mapping[str, Mapping[str, object]]) -> Any:
    if isinstance(node, dict):
        return {_filled(key, context): _filled(value, context) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, context) for value in node]
    if not isinstance(node, str):
        return node
    if whole := _HOLE.fullmatch(node):
        return _known(whole, context)  # a whole value keeps its type
    return _HOLE.sub(lambda hole: _written(_known(hole, context)), node)


def _known(hole: re.Match[str], context: Mapping[str, Mapping[str, object]]) -> object:
    place, name = hole.groups()
    if name not in context.get(place, {}):
        raise Wrong(f"{hole[0]} is not known")
    return context[place][name]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
