from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ci_lib.domain.gate import Reading, Spot, TestCase
from ci_lib.domain.outcome import Mark
from ci_lib.readers import junit
from ci_lib.readers.merged import merge

Recorded = Callable[[str], bytes]

TEXTS = st.text(alphabet=st.characters(), max_size=30)
CASES = st.builds(
    TestCase,
    name=TEXTS,
    mark=st.sampled_from((Mark.PASSED, Mark.FAILED, Mark.SKIPPED)),
    seconds=st.floats(min_value=0, max_value=1e6),
    message=TEXTS,
    spot=st.none() | st.builds(Spot, path=TEXTS, line=st.integers(min_value=0, max_value=10**6)),
)
REPORTS = st.lists(
    st.tuples(TEXTS, st.builds(Reading, cases=st.lists(CASES, max_size=5).map(tuple))), max_size=3
)


def test_the_whole_file() -> None:
    failed = TestCase(
        name="a <b>",
        mark=Mark.FAILED,
        seconds=1.25,
        message="1 != 2\n& \x1b[0m\ud800",
        spot=Spot(path="t.py", line=3),
    )
    skipped = TestCase(name="c", mark=Mark.SKIPPED)
    text = merge([("unit", Reading(cases=(failed, skipped))), ("lint", Reading())]).decode()
    assert text.replace("><", ">\n<") == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<testsuites tests="2" failures="1" errors="0" skipped="1" time="1.250">\n'
        '<testsuite name="unit" tests="2" failures="1" errors="0" skipped="1" time="1.250">\n'
        '<testcase classname="unit" name="a &lt;b&gt;" time="1.250" file="t.py" line="3">\n'
        '<failure message="1 != 2">1 != 2\n&amp; \ufffd[0m\ufffd</failure>\n'
        "</testcase>\n"
        '<testcase classname="unit" name="c" time="0.000">\n'
        "<skipped />\n"
        "</testcase>\n"
        "</testsuite>\n"
        '<testsuite name="lint" tests="0" failures="0" errors="0" skipped="0" time="0.000" />\n'
        "</testsuites>\n"
    )


@given(REPORTS)
def test_whatever_the_texts_hold_it_is_a_junit_file_with_the_same_verdicts(
    reports: list[tuple[str, Reading]],
) -> None:
    expected = [case.mark for _, reading in reports for case in reading.cases]
    assert [case.mark for case in junit.read(merge(reports)).cases] == expected


def test_what_real_runners_wrote_goes_through(recorded: Recorded) -> None:
    names = ("pytest.xml", "vitest.xml", "jest-junit.xml", "mocha-xunit.xml", "surefire.xml")
    reports = [(name, junit.read(recorded(name))) for name in names]
    again = junit.read(merge(reports))
    cases = [case for _, reading in reports for case in reading.cases]
    assert [(case.mark, case.seconds) for case in again.cases] == [
        (case.mark, round(case.seconds, 3)) for case in cases
    ]
    assert [case.message for case in again.cases] == [case.message for case in cases]
