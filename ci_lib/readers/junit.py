"""JUnit XML, as pytest, vitest, jest-junit, mocha and surefire write it; there is no one standard."""

import math
import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from ci_lib.domain.gate import Reading, Spot, TestCase, Unreadable
from ci_lib.domain.outcome import Mark
from ci_lib.readers.markup import tag, xml_root
from ci_lib.readers.raw import decoded
from ci_lib.readers.traceback import spot_in
from ci_lib.readers.words import label, message, spot, whole

KIND: Final = "JUnit"
_FAULTS: Final = frozenset({"failure", "error"})
"""In a case; a ``flakyFailure`` of surefire is of an earlier try, after which the test passed."""
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def read(data: bytes) -> Reading:
    """The test cases of a JUnit file, in its order; no cases is no error. Raises ``Unreadable``."""
    root = xml_root(decoded(data, KIND), KIND)
    if tag(root) not in ("testsuites", "testsuite"):
        raise Unreadable(f"the JUnit report begins with <{label(tag(root))}>, not with <testsuites>")
    return Reading(cases=(*_cases(root, ""), *_not_shown(root)))


def _cases(suite: Element, file: str) -> Iterator[TestCase]:
    file = suite.get("file") or file
    # pytest alone counts lines from zero
    first_line = 1 if suite.get("name") == "pytest" else 0
    for child in suite:
        if tag(child) == "testcase":
            yield _case(child, child.get("file") or file, first_line)
        elif tag(child) == "testsuite":
            yield from _cases(child, file)


def _case(case: Element, file: str, first_line: int) -> TestCase:
    faults = [child for child in case if tag(child) in _FAULTS]
    why = "\n".join(_why(fault) for fault in faults)
    skipped = any(tag(child) == "skipped" for child in case)
    line = whole(case.get("line"))
    return TestCase(
        name=_name(case),
        mark=Mark.FAILED if faults else Mark.SKIPPED if skipped else Mark.PASSED,
        seconds=_seconds(case.get("time", "")),
        message=(message(why) or "failed without a message") if faults else "",
        spot=_where(spot(file, 0 if line is None else line + first_line), spot_in(why)),
    )


def _name(case: Element) -> str:
    """``classname.name``; the name alone where it repeats the other, as jest-junit and mocha's have it."""
    name, group = case.get("name", "").strip(), case.get("classname", "").strip()
    repeated = not group or not name or f" {name}".endswith(f" {group}")
    return label(name or group if repeated else f"{group}.{name}") or "(no name)"


def _why(fault: Element) -> str:
    """The message, then the text unless it begins with the same words."""
    short, long = fault.get("message", "").strip(), "".join(fault.itertext()).strip()
    return long if long.startswith(short) else f"{short}\n{long}".strip()


def _where(stated: Spot | None, traced: Spot | None) -> Spot | None:
    """The file that the report states, at the line of the failure where the trace names that file."""
    if stated is None or traced is None:
        return stated or traced
    a, b = f"/{stated.path}", f"/{traced.path}"
    return Spot(path=stated.path, line=traced.line) if a.endswith(b) or b.endswith(a) else stated


def _seconds(text: str) -> float:
    """A time; 0 for what is none, as no verdict depends on it. Surefire writes ``1,234.5``."""
    text = text.strip()[:40]
    try:
        seconds = float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds >= 0 else 0.0


def _not_shown(root: Element) -> Iterator[TestCase]:
    """A failed case for faults that a suite counts and none of its cases shows."""
    for suite in root.iter():
        counted = sum(whole(suite.get(counter)) or 0 for counter in ("failures", "errors"))
        shown = sum(tag(part) in _FAULTS for part in suite.iter()) if counted else 0
        if counted > shown:
            text = f"{counted} failures and errors are counted, and {shown} are in the report"
            yield TestCase(name=label(suite.get("name")) or "(no name)", mark=Mark.FAILED, message=text)
            return
