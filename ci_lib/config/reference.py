"""The reference page of deploy.yml, generated from the models; running this module prints it."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from ci_lib.config.patterns import KINDS
from ci_lib.config.schema import schema

_HEAD = """\
# deploy.yml

<!-- Written by `python -m ci_lib.config.reference`; a contract test holds it equal to the models. -->

Every key of `deploy.yml`. Unknown keys are errors. Durations are a number and `s`, `m`, `h` or `d`.
[`deploy.schema.json`](deploy.schema.json) says the same to editors: put
`# yaml-language-server: $schema=PATH` on the file's first line.
"""

Node = dict[str, Any]


def reference() -> str:
    """The page: a section for each model, in the order in which the file uses them."""
    made = schema()
    models: dict[str, Node] = made["$defs"]
    titles = _titles(made, models)
    sections = [_section("The whole file", made, titles)]
    sections += [_section(titles[name], models[name], titles) for name in titles]
    return "\n".join([_HEAD, *sections])


def _titles(made: Node, models: dict[str, Node]) -> dict[str, str]:
    """Model → heading, which is where the model first stands in the file, from the outside in."""
    titles: dict[str, str] = {}
    waiting: list[tuple[str, Node]] = [("", made)]
    while waiting:
        at, model = waiting.pop(0)
        for key, node in model["properties"].items():
            for name, where in _used(node, f"{at}.{key}" if at else key):
                if name not in titles:
                    titles[name] = where + _kind(models[name]["properties"])
                    waiting.append((where, models[name]))
    return titles


def _kind(keys: Node) -> str:
    """How the heading of one of several models goes on: ``with type: http``; empty for the only one."""
    for key in ("type", "store"):
        if key in keys:
            return f" with {key}: {' or '.join(_choices(keys[key]))}"
    return ""


def _used(node: Node, at: str) -> Iterator[tuple[str, str]]:
    """The models that a key's value may be made of, and where they then stand."""
    if "$ref" in node:
        yield node["$ref"].rpartition("/")[2], at
    for under in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
        yield from _used(under, at)
    if "items" in node:
        yield from _used(node["items"], f"{at}[]")
    if (value := _value(node)) is not None:
        yield from _used(value[1], f"{at}.NAME")


def _section(title: str, model: Node, titles: dict[str, str]) -> str:
    rows = [
        f"| `{key}` | {_type(node, titles)} | {_default(key, node, model)} | {_meaning(node)} |"
        for key, node in model["properties"].items()
    ]
    head = ["| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", model["description"], "", *head, *rows, ""])


def _type(node: Node, titles: dict[str, str]) -> str:
    """What may stand there, in words."""
    if "$ref" in node:
        return f"[mapping](#{_slug(titles[node['$ref'].rpartition('/')[2]])})"
    if "discriminator" in node:
        links = [f"[{kind}](#{_slug(titles[ref.rpartition('/')[2]])})" for kind, ref in _kinds(node).items()]
        return ", ".join(links)
    if either := node.get("anyOf") or node.get("oneOf"):
        return " or ".join(_type(under, titles) for under in either if under.get("type") != "null")
    if choices := _choices(node):
        return " or ".join(f"`{choice}`" for choice in choices)
    if node.get("pattern") in KINDS:
        return KINDS[node["pattern"]].word
    if node["type"] == "array":
        size = ", just one" if node.get("maxItems") == 1 else ", at least one" if node.get("minItems") else ""
        return f"list of {_type(node['items'], titles)}{size}"
    if (value := _value(node)) is not None:
        return f"{value[0]} → {_type(value[1], titles)}"
    return _plain(node)


def _plain(node: Node) -> str:
    if node["type"] == "integer":
        bounds = f"{node.get('minimum', '')}–{node.get('maximum', '')}"
        return f"whole number {bounds}".removesuffix("–") + ("" if "maximum" in node else " or more")
    return {"string": "text", "boolean": "`true` or `false`"}[node["type"]]


def _kinds(node: Node) -> dict[str, str]:
    kinds: dict[str, str] = node["discriminator"]["mapping"]
    return kinds


def _value(node: Node) -> tuple[str, Node] | None:
    """What the keys of a mapping are called, and its values' schema, if the node is such a mapping."""
    for pattern, under in node.get("patternProperties", {}).items():
        return KINDS[pattern].word, under
    values = node.get("additionalProperties")
    return ("text", values) if isinstance(values, dict) else None


def _choices(node: Node) -> list[str]:
    return [str(choice) for choice in node.get("enum", [node["const"]] if "const" in node else [])]


def _default(key: str, node: Node, model: Node) -> str:
    if key in model.get("required", ()):
        return "mandatory"
    default = node.get("default")
    if "$ref" in node or default in (None, "", [], {}):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _meaning(node: Node) -> str:
    text: str = node.get("description", "")
    return text.replace("\n", " ").replace("|", "\\|")


def _slug(title: str) -> str:
    """The anchor that GitHub and GitLab give to a heading."""
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(reference())
