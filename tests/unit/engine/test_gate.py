"""The gate's order and verdicts, with commands and reports in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ci_lib.config.gate import GateJob
from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.domain.outcome import Mark, Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.gate import GateTools, run_gate
from ci_lib.engine.gate_reports import Reports, State
from ci_lib.ports.protocols import Watched
from tests.fakes import FakeClock, FakeReporter

BASE = Outcome(verb=Verb.LINT_TEST, status=Status.UNKNOWN, reason=Reason.BUG)
PASSING = b'<testsuite><testcase name="a"/></testsuite>'
FAILING = b'<testsuite><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>'
COVERED = b'{"totals": {"covered_lines": 79, "num_statements": 100}}'


def job(name: str, **more: Any) -> GateJob:
    return GateJob.model_validate({"name": name, "command": [name]} | more)


@dataclass
class Bench:
    """Commands answer with the codes in `ends`, one after the other; a command may write `files`."""

    ends: dict[str, list[int]] = field(default_factory=dict)
    writes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    output: bytes = b""
    timed_out: bool = False
    interrupt: str = ""
    stopped: bool = False
    services_fail: bool = False
    served: list[str] = field(default_factory=list)
    reporter: FakeReporter = field(default_factory=FakeReporter)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        told: Callable[[str], None],
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        capture: bool = False,
    ) -> Watched:
        self.ran.append(argv[0])
        if argv[0] == self.interrupt:
            raise Cancelled
        told(f"{argv[0]} speaks")
        for path, data in self.writes.get(argv[0], {}).items():
            self.files[path] = (len(self.ran), data)
        codes = self.ends.get(argv[0], [0])
        code = codes.pop(0) if len(codes) > 1 else codes[0]
        return Watched(code=code, timed_out=self.timed_out, output=self.output)

    def stop(self) -> None:
        self.stopped = True

    @contextmanager
    def services(self, job: GateJob, told: Callable[[str], None]) -> Iterator[Mapping[str, str]]:
        if self.services_fail:
            raise StepFault("db did not come up")
        self.served.append(job.name)
        yield {}
        self.served.remove(job.name)

    def find(self, folder: str, glob: str) -> State:
        return {path: (at, len(data)) for path, (at, data) in self.files.items() if path == glob}

    def play(self, *jobs: GateJob) -> Outcome:
        tools = GateTools(
            folder="/checkout",
            live=self,
            reports=Reports(folder="/checkout", find=self.find, load=lambda path: self.files[path][1]),
            services=self.services,
            clock=FakeClock(),
            reporter=self.reporter,
        )
        return run_gate(jobs, BASE, tools)


def test_all_jobs_run_and_a_single_failure_shuts_the_gate() -> None:
    bench = Bench(ends={"lint": [1]})
    outcome = bench.play(job("lint"), job("unit"))
    assert bench.ran == ["lint", "unit"]
    assert (outcome.status, outcome.reason, outcome.exit) == (Status.FAILED, Reason.GATE, Exit.CHECK_FAILED)
    assert [(one.name, one.mark, one.why) for one in outcome.jobs] == [
        ("lint", Mark.FAILED, "ended with exit code 1"),
        ("unit", Mark.PASSED, ""),
    ]
    assert outcome.failure is not None
    assert outcome.failure.cause == "lint: ended with exit code 1"


def test_what_may_fail_is_a_warning() -> None:
    outcome = Bench(ends={"lint": [1]}).play(job("lint", allow_failure=True))
    assert (outcome.status, outcome.jobs[0].mark) == (Status.PASSED, Mark.WARNED)


def test_jobs_of_a_group_run_at_the_same_time_and_each_line_names_its_job() -> None:
    bench = Bench()
    outcome = bench.play(job("a", group="fast"), job("b", group="fast"), job("c"))
    assert [one.name for one in outcome.jobs] == ["a", "b", "c"]
    assert ("step", "a, b") in bench.reporter.said
    assert {("output", "a | a speaks"), ("output", "b | b speaks")} <= set(bench.reporter.said)
    assert ("output", "c speaks") in bench.reporter.said


def test_a_cancellation_ends_the_others_of_its_group() -> None:
    bench = Bench(interrupt="b")
    outcome = bench.play(job("first"), job("a", group="fast"), job("b", group="fast"), job("never"))
    assert bench.stopped
    assert (outcome.reason, outcome.exit) == (Reason.CANCELLED, 130)
    assert [result.name for result in outcome.jobs] == ["first"], "what was found before is told"


def test_a_job_may_be_tried_again_and_says_how_often() -> None:
    outcome = Bench(ends={"unit": [1, 1, 0]}).play(job("unit", tries=3))
    assert (outcome.status, outcome.jobs[0].tries) == (Status.PASSED, 3)
    outcome = Bench(ends={"unit": [1, 1, 0]}).play(job("unit", tries=2))
    assert (outcome.status, outcome.jobs[0].tries) == (Status.FAILED, 2)


@pytest.mark.parametrize("code", [126, 127])
def test_a_tool_that_cannot_run_has_a_fallback_or_says_how_to_install_it(code: int) -> None:
    full = {"ends": {"full": [code]}}
    outcome = Bench(**full).play(job("full", fallback=["quick"]))
    assert (outcome.status, outcome.jobs[0].fell_back) == (Status.PASSED, "full cannot be started")
    outcome = Bench(**full).play(job("full", install="npm install full"))
    assert outcome.jobs[0].why == "cannot run (full cannot be started): npm install full"


def test_a_command_that_says_that_it_cannot_run_has_its_fallback() -> None:
    full = job("full", fallback=["quick"], cannot_run=["full speaks"])
    bench = Bench(ends={"full": [1]})
    (result,) = bench.play(full).jobs
    assert (result.mark, result.tries) == (Mark.PASSED, 1)
    assert result.remark == "fallback, because the command cannot run: full speaks"
    assert bench.ran == ["full", "quick"]
    assert ("output", "the command cannot run: full speaks; running the fallback") in bench.reporter.said
    assert not Bench().play(full).jobs[0].fell_back


def test_a_fallback_that_cannot_run_either_is_why_the_job_failed() -> None:
    bench = Bench(ends={"full": [127], "quick": [127]})
    (result,) = bench.play(job("full", fallback=["quick"], install="get one")).jobs
    assert (result.why, result.fell_back) == (
        "cannot run (quick cannot be started): get one",
        "full cannot be started",
    )


def test_a_command_whose_output_is_a_report_says_there_that_it_cannot_run() -> None:
    bench = Bench(ends={"npm": [1]}, output=b'npm error Missing script: "scan"\n')
    scan = job("scan", command=["npm", "run", "scan"], sarif="-", install="add the script scan")
    assert bench.play(scan).jobs[0].why.startswith('cannot run (npm error Missing script: "scan"): add')


def test_a_fallback_is_no_second_chance_for_what_failed() -> None:
    bench = Bench(ends={"full": [1]})
    assert bench.play(job("full", fallback=["quick"])).status is Status.FAILED
    assert bench.ran == ["full"]


def test_a_command_that_hangs_is_named_with_its_limit() -> None:
    outcome = Bench(timed_out=True, ends={"unit": [124]}).play(job("unit", time_limit="90s"))
    assert outcome.jobs[0].why == "did not end within 90 s"


def test_failed_tests_fail_the_job_whatever_the_exit_code_says() -> None:
    outcome = Bench(writes={"unit": {"r.xml": FAILING}}).play(job("unit", junit=["r.xml"]))
    assert outcome.jobs[0].why == "1 of 2 tests failed"


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (b"<testsuite/>", "no test was executed; `allow_no_tests: true` if that is meant"),
        (
            b'<testsuite><testcase name="a"><skipped/></testcase></testsuite>',
            "no test was executed; `allow_no_tests: true` if that is meant",
        ),
    ],
)
def test_no_executed_test_is_a_failure_unless_allowed(report: bytes, why: str) -> None:
    writes = {"unit": {"r.xml": report}}
    assert Bench(writes=writes).play(job("unit", junit=["r.xml"])).jobs[0].why == why
    allowed = job("unit", junit=["r.xml"], allow_no_tests=True)
    assert Bench(writes=writes).play(allowed).status is Status.PASSED


def test_a_report_of_an_earlier_run_does_not_count() -> None:
    bench = Bench(files={"r.xml": (0, PASSING)})
    outcome = bench.play(job("unit", junit=["r.xml"]))
    assert outcome.jobs[0].why == "the junit report r.xml is an old one: this run did not write it"
    assert Bench().play(job("unit", junit=["r.xml"])).jobs[0].why == "the junit report r.xml was not written"


def test_a_report_that_cannot_be_read_is_a_failure() -> None:
    outcome = Bench(writes={"unit": {"r.xml": b"rubbish"}}).play(job("unit", junit=["r.xml"]))
    assert outcome.status is Status.FAILED
    assert outcome.jobs[0].why.startswith("r.xml: ")


def test_a_missing_report_keeps_nobody_from_reading_the_others() -> None:
    bench = Bench(ends={"unit": [1]}, writes={"unit": {"r.xml": FAILING}})
    (result,) = bench.play(job("unit", junit=["r.xml"], coverage="c.xml")).jobs
    why = "ended with exit code 1; 1 of 2 tests failed; the coverage report c.xml was not written"
    assert (result.why, len(result.reading.cases)) == (why, 2)
    empty = {"unit": {"r.xml": b"<testsuite/>"}}
    (result,) = Bench(writes=empty).play(job("unit", junit=["r.xml", "s.xml"])).jobs
    assert result.why == "the junit report s.xml was not written"


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ("src/a.py", "backend/src/a.py"),
        ("/checkout/backend/src/a.py", "backend/src/a.py"),
        ("../lib/a.py", "lib/a.py"),
        ("../../a.py", None),
        ("/usr/lib/a.py", None),
    ],
)
def test_a_place_is_told_from_the_top_of_the_checkout_or_not_at_all(told: str, place: str | None) -> None:
    report = f'<testsuite><testcase name="a" file="{told}" line="3"/></testsuite>'.encode()
    outcome = Bench(writes={"unit": {"r.xml": report}}).play(job("unit", folder="backend", junit=["r.xml"]))
    (case,) = outcome.jobs[0].reading.cases
    assert (case.spot.path if case.spot else None) == place


def test_coverage_below_its_threshold_fails() -> None:
    bench = Bench(writes={"unit": {"c.json": COVERED}})
    outcome = bench.play(job("unit", coverage="c.json"))
    assert outcome.jobs[0].why == "coverage 79.0% is below 80 %"
    assert bench.play(job("unit", coverage="c.json", coverage_min="79%")).status is Status.PASSED


def test_findings_fail_from_the_severity_that_is_set() -> None:
    found = b'{"SchemaVersion": 2, "Results": [{"Target": "go.mod", "Vulnerabilities": [%s]}]}'
    one = b'{"VulnerabilityID": "CVE-1", "PkgName": "x", "Severity": "MEDIUM"}'
    bench = Bench(output=found % one)
    assert bench.play(job("scan", trivy="-")).status is Status.PASSED
    strict = bench.play(job("scan", trivy="-", fail_on="medium"))
    assert strict.jobs[0].why == "1 findings of severity medium or worse, the worst medium"


def test_services_that_do_not_come_up_are_why_the_job_failed_and_the_next_job_runs() -> None:
    bench = Bench(services_fail=True)
    outcome = bench.play(job("integration"))
    assert (outcome.jobs[0].mark, outcome.jobs[0].why) == (Mark.FAILED, "db did not come up")
    assert bench.ran == []
