import pytest

from ci_lib.domain.gate import Finding, Reading, Severity, Spot, TestCase
from ci_lib.domain.outcome import Mark
from ci_lib.readers.place import placed


def finding(path: str) -> Finding:
    return Finding(severity=Severity.LOW, rule="r", message="m", spot=Spot(path=path, line=3))


def at(path: str) -> Finding:
    (found,) = placed(Reading(findings=(finding(path),)), checkout="/w", folder="/w/backend").findings
    return found


@pytest.mark.parametrize(
    ("reported", "path"),
    [
        ("src/a.py", "backend/src/a.py"),
        ("./a.py", "backend/a.py"),
        ("../web/a.js", "web/a.js"),
        ("/w/web/a.js", "web/a.js"),
        ("/w/./web//a.js", "web/a.js"),
    ],
)
def test_places_become_relative_to_the_checkout(reported: str, path: str) -> None:
    assert at(reported) == finding(path)


@pytest.mark.parametrize("reported", ["/work/a.py", "../../a.py", "/w", "/w/../a.py"])
def test_a_place_outside_is_told_in_words(reported: str) -> None:
    assert at(reported).spot is None
    assert at(reported).message == f"m (in {reported}, line 3)"


def test_test_cases_are_placed_too_and_all_else_stays() -> None:
    case = TestCase(name="x", mark=Mark.FAILED, spot=Spot(path="/w/t.py", line=5))
    lost = TestCase(name="y", mark=Mark.FAILED, spot=Spot(path="/usr/t.py"))
    without = TestCase(name="z", mark=Mark.PASSED)
    reading = Reading(cases=(case, lost, without), covered=1, lines=2)
    after = placed(reading, checkout="/w/", folder="/w")
    assert [one.spot for one in after.cases] == [Spot(path="t.py", line=5), None, None]
    assert (after.covered, after.lines) == (1, 2)
