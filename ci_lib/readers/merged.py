"""One JUnit file out of the tests of all jobs, for whoever reads such files."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from ci_lib.domain.gate import Reading, TestCase
from ci_lib.domain.outcome import Mark

_NOT_XML: Final = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow, not even as references; and the carriage return, which it loses."""


def merge(reports: Iterable[tuple[str, Reading]]) -> bytes:
    """A JUnit document with a test suite for each job, which is given by its name and what was read."""
    root = Element("testsuites")
    every: list[TestCase] = []
    for job, reading in reports:
        every.extend(reading.cases)
        suite = SubElement(root, "testsuite", {"name": _xml(job), **_counts(reading.cases)})
        for case in reading.cases:
            _add(suite, job, case)
    root.attrib.update(_counts(every))
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(cases: Iterable[TestCase]) -> dict[str, str]:
    cases = tuple(cases)
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.mark is Mark.FAILED for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.mark is Mark.SKIPPED for case in cases)),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _add(suite: Element, job: str, case: TestCase) -> None:
    element = SubElement(
        suite, "testcase", classname=_xml(job), name=_xml(case.name), time=f"{case.seconds:.3f}"
    )
    if case.spot:
        element.set("file", _xml(case.spot.path))
        if case.spot.line:
            element.set("line", str(case.spot.line))
    if case.mark is Mark.FAILED:
        text = _xml(case.message)
        SubElement(element, "failure", message=text.partition("\n")[0]).text = text
    elif case.mark is Mark.SKIPPED:
        SubElement(element, "skipped")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
