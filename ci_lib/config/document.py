"""Text to plain data with line numbers: YAML 1.2, with everything left out that could surprise.

Aliases are allowed and bounded; tags, merge keys, duplicate keys and keys that are not text are refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ci_lib.config.mistakes import Mistake, Path, fault
from ci_lib.config.text import clean, quoted, shown
from ci_lib.domain.errors import ConfigFault

MAX_BYTES = 1_048_576
MAX_VALUES = 50_000
"""Values after aliases are written out: an alias bomb stops here."""
MAX_DEPTH = 40

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN = frozenset({"str", "timestamp", "value"})
"""Kinds that we take as text: a date or ``=`` has no meaning of its own here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the file says, as dicts, lists and scalars, and the line of each part."""

    data: dict[str, object]
    lines: dict[Path, int]


def parse(text: str, *, name: str) -> Document:
    """Read ``text``; raise ``ConfigFault`` with every mistake. ``name`` is how messages call the file."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise fault([Mistake(path=(), text="the file is larger than 1 MiB")], name=name, lines={})
    reader = _Reader(name=name)
    data = reader.value(_compose(text, name), ())
    if not isinstance(data, dict):
        wanted = f"the file must be a mapping with keys such as version, not {shown(data)}"
        reader.mistakes.append(Mistake(path=(), text=wanted))
    if reader.mistakes or not isinstance(data, dict):
        raise fault(reader.mistakes, name=name, lines=reader.lines)
    return Document(data=data, lines=reader.lines)


def _compose(text: str, name: str) -> Node:
    """The tree of the only document in ``text``."""
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except RecursionError as error:
        raise _too_deep(name) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        why = " ".join(filter(None, [error.context, error.problem]))
        if "but got '{'" in why:
            why += ": within braces, text with {stack} or {environment} must be in quotes"
        raise fault([_not_yaml(why, line)], name=name, lines={}) from error
    except (YAMLError, ValueError, ArithmeticError, LookupError, AssertionError, TypeError) as error:
        # Broken escapes and directives leave ruamel.yaml as whatever Python made of them.
        raise fault([_not_yaml(str(error).split("\n", 1)[0], 1)], name=name, lines={}) from error
    if node is None:
        raise fault([Mistake(path=(), text="the file is empty")], name=name, lines={})
    return node


def _not_yaml(why: str, line: int) -> Mistake:
    return Mistake(path=(), text=f"not YAML: {clean(why, 200)}", line=line)


def _too_deep(name: str) -> ConfigFault:
    wrong = Mistake(path=(), text=f"nested more than {MAX_DEPTH} levels deep, or an alias that holds itself")
    return fault([wrong], name=name, lines={})


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Walks the tree of nodes, noting lines and mistakes."""

    name: str
    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    count: int = 0

    def value(self, node: Node, path: Path) -> object:
        """The plain value of ``node``, which stands at ``path``."""
        self.count += 1
        if self.count > MAX_VALUES:
            wrong = Mistake(path=(), text=f"more than {MAX_VALUES} values, counting each use of an alias")
            raise fault([wrong], name=self.name, lines={})
        if len(path) > MAX_DEPTH:
            raise _too_deep(self.name)
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return {key: self.value(under, (*path, key)) for key, under in self.entries(node, path)}
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.value(under, (*path, at)) for at, under in enumerate(node.value)]
            case ScalarNode():
                return self.scalar(node, path)
        return self.wrong(path, node, f"tags such as {quoted(str(node.tag))} are not understood here")

    def entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Node]]:
        """The key and value nodes of a mapping that can be used; the others are noted as mistakes."""
        for key, under in node.value:
            word = self.key(key, path)
            if word is None:
                continue
            at = (*path, word)
            if at in self.lines:
                self.wrong(at, key, f"the key stands here again; the first one is on line {self.lines[at]}")
                continue
            self.lines[at] = key.start_mark.line + 1
            yield word, under

    def key(self, node: Node, path: Path) -> str | None:
        """A key as text, or None when it cannot be one."""
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind == "merge":
            self.wrong(path, node, 'merging with "<<" is not part of YAML 1.2: write the keys out')
        elif not isinstance(node, ScalarNode):
            self.wrong(path, node, "a key must be text, not a list or a mapping")
        elif kind not in _PLAIN:
            self.wrong(path, node, f"the key {clean(node.value)} must be text: put it in quotes")
        else:
            return str(self.scalar(node, path))
        return None

    def scalar(self, node: ScalarNode, path: Path) -> object:
        """Text, number, true, false or nothing; what a tag promises and the text is not stays text."""
        text = str(node.value)
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if _CONTROL.search(text):
            return self.wrong(path, node, f"{quoted(text)} holds a control character")
        if kind in _PLAIN:
            return text
        read = _SCALARS.get(kind)
        if read is None:
            return self.wrong(path, node, f"tags such as {quoted(str(node.tag))} are not understood here")
        return read(text)

    def wrong(self, path: Path, node: Node, text: str) -> str:
        """Note a mistake at ``node``; the value to go on with is empty text."""
        self.mistakes.append(Mistake(path=path, text=text, line=node.start_mark.line + 1))
        return ""


# Longer numbers stay text: no setting needs them, and Python refuses to read thousands of digits.
_INTS = {10: r"[-+]?[0-9]{1,18}", 8: r"[-+]?0o[0-7]{1,18}", 16: r"[-+]?0x[0-9a-fA-F]{1,15}"}
_FLOAT = re.compile(r"[-+]?[0-9]{0,18}\.?[0-9]{0,17}[0-9](e[-+]?[0-9]{1,2})?", re.IGNORECASE)


def _bool(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def _int(text: str) -> int | str:
    digits = text.replace("_", "")
    for base, pattern in _INTS.items():
        if re.fullmatch(pattern, digits):
            return int(digits, base)
    return text


def _float(text: str) -> float | str:
    return float(text) if _FLOAT.fullmatch(text) else text


_SCALARS: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "bool": _bool,
    "int": _int,
    "float": _float,
}
