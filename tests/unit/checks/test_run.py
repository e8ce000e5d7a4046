import pytest

from ci_lib.checks.run import WIDTH, run_check, run_checks
from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.unit.checks.places import CHECK, Place

URL = "http://shop.example/ready"
HTTP = {"type": "http", "url": URL}


def test_a_check_is_tried_until_it_passes() -> None:
    place = Place()
    place.net.pages[URL] = [Unreachable("refused"), Response(status=503), Response(status=200)]
    result = place.run(**HTTP, tries=5, delay="2s")
    assert (result.mark, result.tries, place.clock.slept) == (Mark.PASSED, 3, [2.0, 2.0])
    assert result.seconds == 4.0


def test_a_check_that_never_passes_uses_all_its_tries_and_does_not_wait_after_the_last() -> None:
    place = Place()
    place.net.pages[URL] = Response(status=503)
    result = place.run(**HTTP, tries=3, delay="2s")
    assert (result.mark, result.tries, place.clock.slept) == (Mark.FAILED, 3, [2.0, 2.0])


def test_the_last_try_is_the_one_that_is_told() -> None:
    place = Place()
    place.net.pages[URL] = [Response(status=503), Unreachable("connection refused")]
    assert place.run(**HTTP, tries=2).value == "connection refused"


@pytest.mark.parametrize(
    "fault",
    [Unreachable("nobody there"), TimedOut("too late"), StepFault("this target has no containers")],
)
def test_a_check_that_cannot_decide_has_failed_and_says_why(fault: Exception) -> None:
    place = Place()
    place.net.pages[URL] = fault
    assert place.run(**HTTP) == CheckResult(name="ready", mark=Mark.FAILED, value=str(fault), bound="200")


def test_a_cancelled_run_is_not_a_failed_check() -> None:
    place = Place()
    place.net.pages[URL] = Cancelled()
    with pytest.raises(Cancelled):
        place.run(**HTTP, tries=3)


def test_a_defect_of_ours_is_not_a_failed_check() -> None:
    place = Place()
    place.net.pages[URL] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        place.run(**HTTP)


def test_all_checks_run_in_order_and_are_told_at_once() -> None:
    place = Place()
    place.net.pages = {"http://a": Response(status=500), "http://b": Response(status=200)}
    checks = [
        CHECK.validate_python({"name": name, "type": "http", "url": f"http://{name}", "tries": 1})
        for name in "ab"
    ]
    results = run_checks(checks, place.site(), {})
    assert [(r.name, r.mark) for r in results] == [("a", Mark.FAILED), ("b", Mark.PASSED)]
    assert place.reporter.said == [("check", "a failed"), ("check", "b passed")]


def test_every_further_try_says_why() -> None:
    place = Place()
    place.net.pages[URL] = [Response(status=500), Response(status=200)]
    assert place.run(**HTTP, tries=3, delay="2s").tries == 2
    assert place.reporter.said == [("text", "  ready: 500 Internal Server Error; try 2 of 3 in 2 s")]


def test_values_and_bounds_are_one_short_line_without_control_characters() -> None:
    place = Place()
    place.net.pages[URL] = Unreachable("bad\n::error::\x1b[31m" + "x" * 500)
    check = CHECK.validate_python(HTTP | {"name": "ready", "tries": 1, "contains": "y" * 500})
    result = run_check(check, place.site(), {})
    assert result.value.startswith("bad\\n::error::\\x1b[31mxxx")
    assert len(result.value) == len(result.bound) == WIDTH
