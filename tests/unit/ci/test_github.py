import io

import pytest

from ci_lib.ci.console import Console
from ci_lib.ci.github import SUMMARY_LIMIT, GitHubReporter
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.redact import Redactor
from ci_lib.ports.protocols import PortFault
from tests.golden.outcomes import HOSTILE
from tests.unit.ci.test_commands import is_command, parse

ENV = {"GITHUB_OUTPUT": "out", "GITHUB_STEP_SUMMARY": "summary"}


class Files:
    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.full = False

    def size(self, path: str) -> int:
        return len(self.held.get(path, b""))

    def append(self, path: str, data: bytes) -> None:
        if self.full:
            raise PortFault("no space left")
        self.held[path] = self.held.get(path, b"") + data


class Watched:
    """A reporter and what came out of it."""

    def __init__(self, env: dict[str, str] = ENV) -> None:
        self.stream, self.files = io.StringIO(), Files()
        self.reporter = GitHubReporter(
            env=env, console=Console(self.stream), files=self.files, redact=Redactor(["hunter2"])
        )

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_step_is_a_fold_with_its_result_below() -> None:
    seen = Watched()
    seen.reporter.step("check ready")
    seen.reporter.check(
        CheckResult(name="ready", mark=Mark.FAILED, value="HTTP 500", bound="HTTP 200", tries=3)
    )
    seen.reporter.step_done(StepResult(name="check ready", mark=Mark.FAILED, seconds=1.2, notes=("slow",)))
    assert seen.lines == [
        "::group::check ready",
        "  ✗ ready: HTTP 500 (wanted: HTTP 200), 3 tries",
        "  slow",
        "::endgroup::",
        "✗ check ready              1.2 s",
    ]


def test_an_error_closes_the_fold_that_would_hide_it() -> None:
    seen = Watched()
    seen.reporter.step("pull")
    seen.reporter.error("100% gone", "try again")
    assert seen.lines == [
        "::group::pull",
        "::endgroup::",
        "::error title=deploy-actions::100%25 gone%0ANext: try again",
    ]


def test_notes_and_warnings_become_annotations() -> None:
    seen = Watched()
    seen.reporter.note("forced")
    seen.reporter.warn("old disk")
    assert seen.lines == [
        "::notice title=deploy-actions::forced",
        "::warning title=deploy-actions::old disk",
    ]


def test_hostile_text_forges_no_command_and_no_secret_is_shown() -> None:
    seen, text = Watched(), HOSTILE + "\n::add-mask::x hunter2"
    seen.reporter.step(text)
    seen.reporter.check(CheckResult(name=text, mark=Mark.PASSED, value=text, bound=text))
    seen.reporter.step_done(StepResult(name=text, mark=Mark.PASSED, seconds=1, notes=(text,)))
    seen.reporter.text(text)
    seen.reporter.verdict(Mark.PASSED, [text, text])
    for say in (seen.reporter.note, seen.reporter.warn, seen.reporter.error):
        say(text)
    ours = ("::group::", "::endgroup::", "::notice ", "::warning ", "::error title=")
    assert [line for line in seen.lines if is_command(line) and not line.startswith(ours)] == []
    assert len([line for line in seen.lines if is_command(line)]) == 5
    assert "hunter2" not in seen.stream.getvalue()
    assert "\x1b" not in seen.stream.getvalue()


def test_masks_are_told_to_the_runner_line_by_line_and_never_for_short_values() -> None:
    seen = Watched()
    seen.reporter.mask(["swordfish%", "abc", "line one\nxy\nline two\n"])
    seen.reporter.text("swordfish% abc line two")
    assert seen.lines == [
        "::add-mask::line one",
        "::add-mask::line one%0Axy%0Aline two",
        "::add-mask::line one%0Axy%0Aline two%0A",
        "::add-mask::line two",
        "::add-mask::swordfish%25",
        "*** abc ***",
    ]


def test_outputs_are_written_letter_by_letter() -> None:
    seen = Watched()
    seen.reporter.outputs({"status": "deployed", "images": 'a\n"b"'})
    seen.reporter.outputs({"evidence-path": "/tmp/hunter2"})
    assert parse(seen.files.held["out"].decode()) == {
        "status": "deployed",
        "images": 'a\n"b"',
        "evidence-path": "/tmp/hunter2",
    }


def test_lost_outputs_are_an_error() -> None:
    seen = Watched()
    seen.files.full = True
    with pytest.raises(PortFault):
        seen.reporter.outputs({"status": "deployed"})


def test_a_summary_is_appended_to_what_is_there() -> None:
    seen = Watched()
    seen.files.held["summary"] = b"```\nlint"
    seen.reporter.summary("### ✅ fine\n")
    assert seen.files.held["summary"].decode() == "```\nlint\n\n### ✅ fine\n"


def test_the_summary_file_never_grows_over_the_limit_in_bytes() -> None:
    seen = Watched()
    seen.files.held["summary"] = b"x" * 1000
    seen.reporter.summary("### ✅ fine\n" + "é\n" * SUMMARY_LIMIT)
    written = seen.files.held["summary"]
    assert SUMMARY_LIMIT - 10 < len(written) <= SUMMARY_LIMIT
    assert "### ✅ fine\n" in written.decode()
    assert written.decode().endswith("The evidence holds all of it.**\n")


def test_a_full_summary_is_left_alone_and_said() -> None:
    seen = Watched()
    seen.files.held["summary"] = b"x" * SUMMARY_LIMIT
    seen.reporter.summary("### fine\n")
    assert len(seen.files.held["summary"]) == SUMMARY_LIMIT
    assert seen.lines[0].startswith("::warning title=deploy-actions::The job summary is full")


def test_a_summary_that_cannot_be_written_does_not_fail_the_run() -> None:
    seen = Watched()
    seen.files.full = True
    seen.reporter.summary("### fine\n")
    assert "no space left" in seen.lines[0]


def test_without_command_files_nothing_is_written() -> None:
    seen = Watched(env={})
    seen.reporter.outputs({"status": "x"})
    seen.reporter.summary("x")
    assert seen.files.held == {}
