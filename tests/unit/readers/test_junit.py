from collections.abc import Callable

import pytest

from ci_lib.domain.gate import Spot, TestCase, Unreadable
from ci_lib.domain.outcome import Mark
from ci_lib.readers.junit import read

Recorded = Callable[[str], bytes]


def marks(cases: tuple[TestCase, ...]) -> dict[str, str]:
    return {case.name: str(case.mark) for case in cases}


def only(text: str) -> TestCase:
    (case,) = read(text.encode()).cases
    return case


def test_pytest(recorded: Recorded) -> None:
    cases = read(recorded("pytest.xml")).cases
    assert marks(cases) == {
        "tests.test_prices.test_a_total_is_the_sum": "passed",
        "tests.test_prices.test_nothing_costs_nothing": "passed",
        "tests.test_prices.test_a_discount_is_taken_off": "failed",
        "tests.test_prices.test_the_till_closes": "failed",
        "tests.test_prices.test_the_till_opens": "failed",
        "tests.test_prices.test_a_receipt_is_printed": "skipped",
        "tests.test_prices.test_prices_are_rounded": "skipped",
        r"tests.test_prices.test_names[\xfc]": "passed",
        r"tests.test_prices.test_names[a\nb]": "passed",
        "tests.test_prices.TestOld.test_sum": "passed",
    }
    assert cases[2].message.startswith('AssertionError: text with <angle> & "quotes" and #x1B[31mcolour')
    assert cases[2].spot == Spot(path="tests/test_prices.py", line=17)
    assert cases[0].message == ""


def test_pytest_says_files_and_lines_in_its_old_format_and_counts_from_zero(recorded: Recorded) -> None:
    cases = read(recorded("pytest-xunit1.xml")).cases
    assert cases[0].spot == Spot(path="tests/test_prices.py", line=8)
    assert cases[2].spot == Spot(path="tests/test_prices.py", line=17), "where it failed, not where it begins"


def test_a_module_that_pytest_cannot_import_is_a_failed_test(recorded: Recorded) -> None:
    (case,) = read(recorded("pytest-collection.xml")).cases
    assert (case.name, case.mark) == ("tests.test_broken", Mark.FAILED)
    assert case.spot == Spot(path="tests/test_broken.py", line=1), "not the standard library's own file"


def test_a_run_without_tests_is_read_as_that(recorded: Recorded) -> None:
    assert read(recorded("pytest-none.xml")).cases == ()


def test_vitest(recorded: Recorded) -> None:
    cases = read(recorded("vitest.xml")).cases
    assert marks(cases) == {
        "src/broken.test.js": "failed",
        "src/prices.test.js.total > is the sum": "passed",
        "src/prices.test.js.total > knows [31mcolours[0m & <angles>": "failed",
        "src/prices.test.js.total > prints a receipt": "skipped",
        "src/prices.test.js.total > rounds": "skipped",
    }
    assert [case.spot for case in cases if case.mark is Mark.FAILED] == [
        Spot(path="src/broken.test.js", line=1),
        Spot(path="src/prices.test.js", line=11),
    ]
    assert cases[1].seconds == 0.001146532


def test_jest(recorded: Recorded) -> None:
    cases = read(recorded("jest-junit.xml")).cases
    assert [(case.name, str(case.mark)) for case in cases] == [
        ("total is the sum", "passed"),
        ("total is not something else", "failed"),
        ("total prints a receipt", "skipped"),
        ("Test suite failed to run.jest/broken.test.js", "failed"),
        ("Test suite failed to run.jest/broken.test.js", "failed"),
    ]
    assert cases[1].spot == Spot(path="jest/prices.test.js", line=7)


def test_mocha_in_both_of_its_formats(recorded: Recorded) -> None:
    own = read(recorded("mocha-xunit.xml")).cases
    other = read(recorded("mocha-junit.xml")).cases
    assert [str(case.mark) for case in own] == ["passed", "failed", "skipped", "failed"]
    assert [str(case.mark) for case in other] == ["passed", "failed", "failed"]
    assert own[1].name == "total.is not something else"
    assert other[1].name == "total is not something else"
    assert own[1].spot == other[1].spot == Spot(path="/home/runner/work/shop/shop/test/prices.cjs", line=9)


def test_a_flaky_test_of_surefire_passed_in_the_end(recorded: Recorded) -> None:
    assert marks(read(recorded("surefire.xml")).cases) == {
        "shop.PricesTest.receiptIsPrinted": "skipped",
        "shop.PricesTest.discountIsTakenOff": "failed",
        "shop.PricesTest.tillOpens": "failed",
        "shop.PricesTest.sometimes": "passed",
        "shop.PricesTest.totalIsTheSum": "passed",
    }


def test_suites_may_be_nested() -> None:
    text = (
        "<testsuite file='a.js'><testsuite><testcase name='x'/></testsuite><testcase name='y'/></testsuite>"
    )
    cases = read(text.encode()).cases
    assert [(case.name, case.spot) for case in cases] == [("x", Spot(path="a.js")), ("y", Spot(path="a.js"))]


def test_failures_that_are_counted_but_not_shown_fail() -> None:
    case = only('<testsuites><testsuite name="s" failures="1" errors="1" tests="2"/></testsuites>')
    assert (case.name, case.mark) == ("s", Mark.FAILED)
    assert case.message == "2 failures and errors are counted, and 0 are in the report"


def test_a_test_that_failed_and_was_skipped_failed() -> None:
    case = only("<testsuite><testcase name='x'><skipped/><failure/></testcase></testsuite>")
    assert (case.mark, case.message) == (Mark.FAILED, "failed without a message")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1,234.5", 1234.5),
        ("0.25", 0.25),
        ("", 0),
        ("soon", 0),
        ("nan", 0),
        ("inf", 0),
        ("-1", 0),
        ("0,5", 0),
    ],
)
def test_a_time_is_a_number_of_seconds_or_left_aside(written: str, seconds: float) -> None:
    assert only(f'<testsuite><testcase name="x" time="{written}"/></testsuite>').seconds == seconds


def test_texts_are_bounded_and_cannot_act_on_a_terminal() -> None:
    case = only(
        f"<testsuite><testcase name='a&#10;b{'n' * 9000}'><failure message='&#x202e;'>{'t' * 9000}</failure>"
        "</testcase></testsuite>"
    )
    assert case.name.startswith("a\\nbnnn")
    assert len(case.name) == 500
    assert case.message.startswith("\\u202e\nttt")
    assert len(case.message) == 2000


def test_the_place_in_the_file_that_is_stated_wins_over_another_file_of_the_trace() -> None:
    fault = "<failure>src/helper.py:3: ValueError</failure>"
    case = only(f"<testsuite><testcase name='x' file='tests/x.py' line='5'>{fault}</testcase></testsuite>")
    assert case.spot == Spot(path="tests/x.py", line=5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the JUnit report is empty"),
        (b"\xff\xfe<\0", "the JUnit report is not UTF-8: byte 0 is wrong"),
        (b"<testsuite><testcase/>", "the JUnit report is not XML: no element found: line 1, column 22"),
        (b"<coverage/>", "the JUnit report begins with <coverage>, not with <testsuites>"),
        (b"5 tests passed", "the JUnit report is not XML: syntax error: line 1, column 0"),
    ],
)
def test_what_is_no_junit_file_is_said(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as error:
        read(data)
    assert str(error.value) == said
