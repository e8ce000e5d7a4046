"""XML from programs that nobody vouches for.

The standard library's parser is safe against what entities can do once there are none: so a document type
declaration, the only place to declare them, never gets to it.
"""

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from ci_lib.domain.gate import Unreadable

_DEPTH: Final = 100
_ELEMENTS: Final = 2_000_000

_PROLOG: Final = re.compile(r"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
"""All that may stand before the declaration or the first element."""
_BARE_DOCTYPE: Final = re.compile(r"""<!DOCTYPE\s+\w+(?:\s+(?:SYSTEM|PUBLIC))?(?:\s+"[^"<>]*"){0,2}\s*>""")
"""A declaration that names a document type and declares nothing itself."""


def xml_root(text: str, kind: str, *, doctype: bool = False) -> Element:
    """The root element of an XML document; ``kind`` is what to call the report in an error.

    ``doctype`` says that this kind of report may name its document type, as Cobertura's does. The name is
    cut off, and what it points to is never fetched.
    """
    text = _without_doctype(text, kind, allowed=doctype)
    parser = XMLParser(target=_Bounded(kind))  # noqa: S314 - _Bounded limits it, and no entity is declared
    try:
        parser.feed(text)
        root = parser.close()
    except ParseError as error:
        raise Unreadable(f"the {kind} report is not XML: {error}") from None
    assert isinstance(root, Element)
    return root


def tag(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _without_doctype(text: str, kind: str, *, allowed: bool) -> str:
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog else 0
    if not text.startswith("<!DOCTYPE", start):
        return text
    declared = _BARE_DOCTYPE.match(text, start) if allowed else None
    if declared is None:
        raise Unreadable(f"the {kind} report has a document type declaration, which could hold entities")
    return _without_doctype(text[:start] + text[declared.end() :], kind, allowed=False)  # no second one


class _Bounded(TreeBuilder):
    """Builds the tree, up to a depth and a number of elements that no honest report comes near to."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEPTH or self._elements > _ELEMENTS:
            raise Unreadable(f"the {self._kind} report is nested too deeply or has too many elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)
