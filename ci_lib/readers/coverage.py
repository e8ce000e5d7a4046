"""Coverage of lines: Cobertura XML of any tool, or the JSON of coverage.py, told apart by content."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from ci_lib.domain.gate import Reading, Unreadable
from ci_lib.readers.markup import tag, xml_root
from ci_lib.readers.raw import decoded, json_object, member
from ci_lib.readers.words import whole

KIND: Final = "coverage"


def read(data: bytes) -> Reading:
    """Covered and all lines of a coverage report. Raises ``Unreadable``."""
    text = decoded(data, KIND)
    counts = _cobertura(text) if text.lstrip().startswith("<") else _coverage_py(text)
    covered, lines = counts
    if covered > lines:
        raise Unreadable(f"the coverage report says that {covered} of {lines} lines are covered")
    return Reading(covered=covered, lines=lines)


def _cobertura(text: str) -> tuple[int, int]:
    """The totals of the root element; where it has none, the lines are counted.

    ``line-rate`` decides nothing: it is rounded, some tools make it a mean of packages, and a rate without
    counts cannot be added up with others.
    """
    root = xml_root(text, KIND, doctype=True)
    if tag(root) != "coverage" or "line-rate" not in root.attrib:
        raise Unreadable("the coverage report is XML, but not Cobertura's")
    stated = [root.get(name) for name in ("lines-covered", "lines-valid")]
    if None in stated:
        return _counted(root)
    covered, lines = map(whole, stated)
    if covered is None or lines is None:
        raise Unreadable("lines-covered or lines-valid in the coverage report is not a number")
    return covered, lines


def _counted(root: Element) -> tuple[int, int]:
    """Lines that were hit, and all; a line that several classes or packages list counts once."""
    hit: dict[tuple[str, str], bool] = {}
    for file, line in _lines(root):
        hits = whole(line.get("hits"))
        if hits is None:
            raise Unreadable("a line in the coverage report does not say how often it was hit")
        key = (file, line.get("number", ""))
        hit[key] = hit.get(key, False) or hits > 0
    if not hit:
        raise Unreadable("the coverage report has a rate, but neither totals nor lines")
    return sum(hit.values()), len(hit)


def _lines(root: Element) -> Iterator[tuple[str, Element]]:
    """File and ``line`` element; most tools list a line below its method, and again below the class."""
    for part in root.iter("class"):
        for line in part.iter("line"):
            yield part.get("filename", ""), line


def _coverage_py(text: str) -> tuple[int, int]:
    totals = member(json_object(text, KIND), "totals")
    covered, lines = (whole(member(totals, name)) for name in ("covered_lines", "num_statements"))
    if covered is None or lines is None:
        raise Unreadable("the coverage report is JSON, but not that of coverage.py: its totals are missing")
    return covered, lines
