"""An existing `.gitlab-ci.yml` that also includes ours: comments stay, by ruamel.yaml's round trip."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from ci_lib.domain.errors import ConfigFault

_DIVIDED = re.compile(r"^---[ \t]*\n", re.MULTILINE)
_HEADER = re.compile(r"(?:[ \t]*(?:#.*)?\n)*spec:")
_DEFAULT = ("build", "test", "deploy")
"""The stages of a file that names none, but for `.pre` and `.post`, which are always there."""


def merged(theirs: str, ours: str, stages: Sequence[str]) -> str:
    """Their file with what ours asks for and includes; as it is when it includes that already.

    ``stages`` are those of our jobs. Raises ``ConfigFault`` when it cannot be done without losing anything.
    """
    header, body = _split(theirs)
    our_header, our_body = _split(ours)
    entry = _loaded(our_body)["include"][0]
    data = _loaded(body)
    if any(isinstance(each, dict) and each.get("local") == entry["local"] for each in _included(data)):
        return theirs
    includes = data.get("include")
    if isinstance(includes, CommentedSeq):
        includes.append(entry)
    else:
        data["include"] = [*_included(data), entry]
    named = data.get("stages")
    if not isinstance(named, CommentedSeq):
        data["stages"] = named = CommentedSeq(_DEFAULT)
    _interleave(named, stages)
    return f"{_with_inputs(header, our_header)}---\n{_dumped(data, body)}"


def _split(text: str) -> tuple[str, str]:
    """Header with `spec:`, or nothing, and the body."""
    before, line, after = _cut(text)
    if line and _HEADER.match(before):
        return before, after
    return "", text if not line or before.strip() else after


def _cut(text: str) -> tuple[str, str, str]:
    found = _DIVIDED.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _included(data: CommentedMap) -> list[Any]:
    held = data.get("include")
    return [] if held is None else list(held) if isinstance(held, list) else [held]


def _interleave(named: CommentedSeq, ours: Sequence[str]) -> None:
    """Bring our stages in, in their order; ``named`` may have some of them."""
    at = 0
    for stage in ours:
        if stage in named:
            if named.index(stage) < at:
                raise ConfigFault(
                    f"its `stages:` have {stage!r} earlier than our jobs can have it",
                    hint=f"bring these into that order, and run it again: {', '.join(ours)}",
                )
            at = named.index(stage) + 1
        else:
            named.insert(at, stage)
            at += 1


def _with_inputs(theirs: str, ours: str) -> str:
    if not theirs:
        return "".join(line for line in ours.splitlines(keepends=True) if not line.startswith("#"))
    data = _loaded(theirs)
    held = data["spec"].setdefault("inputs", CommentedMap())
    for name, value in _loaded(ours)["spec"]["inputs"].items():
        held.setdefault(name, value)
    return _dumped(data, theirs)


def _loaded(text: str) -> CommentedMap:
    try:
        data = _yaml().load(text) if text.strip() else None
    except (YAMLError, ValueError, RecursionError) as error:
        hint = "correct it and run this again, or add this by hand"
        raise ConfigFault("it is not YAML that can be edited", hint=hint) from error
    if data is None:
        return CommentedMap()
    if not isinstance(data, CommentedMap):
        raise ConfigFault("it is no mapping of jobs", hint="correct it, and run this again")
    return data


def _dumped(data: CommentedMap, before: str) -> str:
    """The text in the indentation that it had; raises ``ConfigFault`` when a comment would be lost."""
    made = [_written(data, offset) for offset in (0, 2)]
    had = set(before.splitlines())
    text = max(made, key=lambda text: len(had & set(text.splitlines())))
    comments = [line.strip() for line in before.splitlines() if line.strip().startswith("#")]
    if lost := [comment for comment in comments if comment not in text]:
        raise ConfigFault(f"its comment {lost[0][:80]!r} would be lost", hint="add this by hand")
    return text


def _written(data: CommentedMap, offset: int) -> str:
    yaml = _yaml()
    yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
    out = StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # no line is folded that was not
    return yaml


def stages_of(text: str) -> list[str]:
    """The stages of a file of GitLab that has a header."""
    return list(_loaded(_split(text)[1])["stages"])
