"""The draft announcement of a release, read as Markdown: sections, ticked questions, links, its release.

Comments count as not written, and what stands in a code block is text: it makes no heading and ticks nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

LIMIT: Final = 262_144
"""Bytes of a draft that are read; a longer one is no announcement."""

_LONGEST_WORD: Final = 500

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_ITEM: Final = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[([ xX])\][ \t]+(.*)")
_MARKER: Final = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?:\[[ xX]\][ \t]+)?")
_FIELD: Final = re.compile(r"[ \t>]*(?:[-*+][ \t]+)?[*_]{0,2}([A-Za-z]+)[*_]{0,2}:[*_]{0,2}[ \t]*(.*)")
_PLACEHOLDER: Final = re.compile(
    r"(?:todo|tbd|tba|fixme|xxx|wip)\b.*|\(?fill (?:me |this |it )?in\)?|<[^<>@:/]*>|[\W_]*", re.IGNORECASE
)
_TOKEN: Final = re.compile(r"[^\s<>()\[\]{}\"'`|]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A task item: whether it is ticked, and the line on which it stands."""

    text: str
    ticked: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft taken apart. Names of ``sections`` and ``fields`` are in small letters.

    ``sections`` maps a heading to the text below it, ``fields`` maps the word before a colon at the beginning
    of a line to what stands behind it; of several with one name the first one that says something counts.
    ``words`` are all pieces that may be a URL or a path.
    """

    sections: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    words: tuple[str, ...] = ()

    def section(self, name: str) -> str:
        """The text below a heading; empty when there is none, or nothing but placeholders."""
        return self.sections.get(plain(name), "")

    def answered(self, question: str) -> tuple[Answer, ...]:
        """The items that begin with the question; an answer may follow it."""
        wanted = plain(question)
        return tuple(item for item in self.answers if _begins(plain(item.text), wanted))


def plain(text: str) -> str:
    """Text as it is compared: small letters, single spaces, without emphasis and closing punctuation."""
    return re.sub(r"[*_`]", "", " ".join(text.casefold().split())).rstrip(" ?.:!")


def read_draft(text: str) -> Draft:
    """Take ``text`` apart; nothing in it is an error."""
    lines = tuple(_lines(_COMMENT.sub(_blank, text)))
    sections: dict[str, str] = {}
    for name, body in _sections(lines):
        sections[name] = sections.get(name) or body
    fields: dict[str, str] = {}
    for _, line, code in lines:
        found = None if code else _FIELD.fullmatch(line)
        if found and _says(found[2]):
            fields.setdefault(found[1].lower(), found[2].strip().strip("`*_ "))
    return Draft(
        sections=sections,
        fields=fields,
        answers=tuple(_answers(lines)),
        words=tuple(_words(lines)),
    )


_Line = tuple[int, str, bool]
"""Number from 1, text, and whether it belongs to a code block."""


def _blank(comment: re.Match[str]) -> str:
    return "\n" * comment[0].count("\n")


def _lines(text: str) -> Iterator[_Line]:
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _FENCE.match(line)
        inside = bool(fence)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" `~"):
            fence = ""
        yield number, line, inside or bool(mark)


def _sections(lines: tuple[_Line, ...]) -> Iterator[tuple[str, str]]:
    """Each heading, and what stands below it up to the next one of its rank; empty when that says nothing."""
    open_: list[tuple[int, str, list[str]]] = []
    for _, line, code in lines:
        heading = None if code else _HEADING.fullmatch(line)
        if heading:
            rank = len(heading[1])
            while open_ and open_[-1][0] >= rank:
                yield _closed(open_.pop())
        for _, _, body in open_:
            body.append(line)
        if heading:
            open_.append((len(heading[1]), plain(heading[2].rstrip(" \t#")), []))
    while open_:
        yield _closed(open_.pop())


def _closed(section: tuple[int, str, list[str]]) -> tuple[str, str]:
    _, name, body = section
    says = any(_says(line) for line in body if not _HEADING.fullmatch(line))
    return name, "\n".join(body).strip("\n") if says else ""


def _says(line: str) -> bool:
    """Whether a line holds more than a placeholder: TODO, TBD, …, ``<fill in>``, or signs alone."""
    marker = _MARKER.match(line)
    return _PLACEHOLDER.fullmatch(line[marker.end() if marker else 0 :].strip(" \t*_`")) is None


def _answers(lines: tuple[_Line, ...]) -> Iterator[Answer]:
    for number, line, code in lines:
        found = None if code else _ITEM.fullmatch(line)
        if found:
            yield Answer(text=found[2], ticked=found[1] != " ", line=number)


def _words(lines: tuple[_Line, ...]) -> Iterator[str]:
    for _, line, _ in lines:
        for word in _TOKEN.findall(line):
            if len(word) <= _LONGEST_WORD:
                yield word.rstrip(".,;:!?*_").lstrip("*_")


def _begins(text: str, wanted: str) -> bool:
    return text == wanted or (text.startswith(wanted) and not text[len(wanted)].isalnum())
