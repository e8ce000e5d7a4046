import json
import re
from collections.abc import Callable

import pytest

from ci_lib.domain.gate import Reading, Unreadable
from ci_lib.readers.coverage import read

Recorded = Callable[[str], bytes]


def cobertura(lines: str, totals: str = "") -> bytes:
    return (
        f'<coverage line-rate="0.1" {totals}><packages><package><classes>{lines}'
        "</classes></package></packages></coverage>"
    ).encode()


def test_coverage_py_says_the_same_in_xml_and_json(recorded: Recorded) -> None:
    assert read(recorded("coverage.xml")) == read(recorded("coverage.json")) == Reading(covered=8, lines=10)


def test_cobertura_of_vitest_names_its_document_type(recorded: Recorded) -> None:
    assert read(recorded("vitest-cobertura.xml")) == Reading(covered=5, lines=9)


@pytest.mark.parametrize("name", ["coverage.xml", "vitest-cobertura.xml"])
def test_counting_the_lines_gives_what_the_totals_say(recorded: Recorded, name: str) -> None:
    without = re.sub(rb' lines-(valid|covered)="\d+"', b"", recorded(name))
    assert without != recorded(name)
    assert read(without) == read(recorded(name))


def test_a_line_that_two_classes_of_a_file_list_counts_once_and_is_covered_by_either() -> None:
    classes = "".join(
        f'<class filename="a.py"><lines><line number="1" hits="{hits}"/></lines></class>'
        for hits in (0, 1, 0)
    )
    other = '<class filename="b.py"><lines><line number="1" hits="0"/></lines></class>'
    assert read(cobertura(classes + other)) == Reading(covered=1, lines=2)


def test_a_line_of_a_method_counts_once_whether_or_not_the_class_lists_it_too() -> None:
    line = '<lines><line number="1" hits="1"/></lines>'
    method = f"<methods><method>{line}</method></methods>"
    for parts in (method, method + line, line):
        assert read(cobertura(f'<class filename="a.py">{parts}</class>')) == Reading(covered=1, lines=1)


def test_a_rate_alone_is_not_enough() -> None:
    with pytest.raises(Unreadable, match="a rate, but neither totals nor lines"):
        read(cobertura("", 'lines-valid="5"'))


def test_a_project_without_lines_has_no_coverage() -> None:
    assert read(cobertura("", 'lines-valid="0" lines-covered="0"')).coverage is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b" ", "is empty"),
        (b"<coverage><project/></coverage>", "XML, but not Cobertura's"),  # Clover
        (b'<report name="jacoco"/>', "XML, but not Cobertura's"),
        (cobertura("", 'lines-valid="5" lines-covered="many"'), "is not a number"),
        (cobertura("", 'lines-valid="5" lines-covered="6"'), "says that 6 of 5 lines are covered"),
        (cobertura('<class><lines><line number="1"/></lines></class>'), "does not say how often it was hit"),
        (b'{"total": {"lines": {"total": 5, "covered": 5}}}', "not that of coverage.py"),  # Istanbul
        (b'{"totals": {"covered_lines": true, "num_statements": 1}}', "not that of coverage.py"),
        (b'{"totals": {"covered_lines": 0.5, "num_statements": 1}}', "not that of coverage.py"),
        (b"TN:\nSF:src/a.js\n", "is not JSON"),  # lcov
    ],
)
def test_what_is_no_coverage_report_is_said(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data)


def test_only_the_totals_of_coverage_py_matter() -> None:
    data = json.dumps({"totals": {"covered_lines": 3, "num_statements": 4, "percent_covered": 12.5}})
    assert read(data.encode()).coverage == 0.75
