import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ci_lib.ci.console import Console
from ci_lib.ci.gitlab import GitLabReporter
from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, Outcome, StepResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.redact import Redactor
from ci_lib.ports.protocols import PortFault
from ci_lib.report.outputs import outputs
from ci_lib.report.terminal import mark, terminal
from tests.fakes import FakeClock, FakeHost
from tests.golden.outcomes import DEPLOYED, HOSTILE, OUTCOMES, ROLLED_BACK
from tests.unit.ci.gitlab_log import Read, read
from tests.unit.ci.test_dotenv import parse
from tests.unit.ci.test_gitlab_facts import GITLAB
from tests.unit.ci.test_job_files import LINKS, links

GOLDEN = Path(__file__).parents[2] / "golden" / "logs"
FOLDER = "/builds/acme/back-end/shop/deploy-actions"
FORGED = (
    "x\nsection_end:1:deploy_actions_cafe_1\r\x1b[0K\nsection_start:1:step_script[collapsed=true]\r\x1b[0Kfine\n"
    "\x1b[2J\x1b[8mhidden\n✓ all is well\n::error::x"
)


class Host(FakeHost):
    full = False

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        if self.full:
            raise PortFault("no space left")
        super().write(path, data, mode=mode)


class Watched:
    """A reporter, and what came out of it."""

    def __init__(self, host: Host | None = None, **env: str) -> None:
        self.stream, self.host = io.StringIO(newline=""), host or Host()
        self.reporter = GitLabReporter(
            env=GITLAB | env,
            console=Console(self.stream),
            files=self.host,
            redact=Redactor(["hunter2"]),
            clock=FakeClock(),
            token=lambda _: "cafe",
        )

    @property
    def log(self) -> str:
        return self.stream.getvalue()

    @property
    def read(self) -> Read:
        return read(self.log)

    @property
    def variables(self) -> dict[str, str]:
        return parse(self.host.files[f"{FOLDER}/outputs.env"])


def told(seen: Watched, outcome: Outcome) -> None:
    """What a run says that ends so."""
    for step in outcome.steps:
        seen.reporter.step(step.name)
        if step.name.startswith("check"):
            for check in outcome.checks:
                seen.reporter.check(check)
        seen.reporter.step_done(step)
    if outcome.failure:
        seen.reporter.error(outcome.failure.cause, outcome.failure.hint)
    seen.reporter.verdict(mark(outcome), terminal(outcome))


@pytest.mark.parametrize(("name", "outcome"), [("deployed", DEPLOYED), ("rolled-back", ROLLED_BACK)])
def test_the_log_is_the_text_that_was_agreed_on(name: str, outcome: Outcome) -> None:
    """Run with UPDATE_GOLDEN=1 to write what is printed now; then read the difference."""
    seen, file = Watched(), GOLDEN / f"gitlab-{name}.log"
    told(seen, outcome)
    shown = seen.log.replace("\x1b", "\\e").replace("\r", "\\r")
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_a_step_is_a_folded_section_with_its_result_below() -> None:
    seen = Watched()
    seen.reporter.step("check ready")
    seen.reporter.check(
        CheckResult(name="ready", mark=Mark.FAILED, value="HTTP 500", bound="HTTP 200", tries=3)
    )
    seen.reporter.output("a line of a script")
    seen.reporter.step_done(StepResult(name="check ready", mark=Mark.FAILED, seconds=1.2, notes=("slow",)))
    inside = ("deploy_actions_cafe_1",)
    assert seen.read.started == [("deploy_actions_cafe_1", "[collapsed=true]")]
    assert seen.read.lines == [
        (inside, "check ready"),
        (inside, "  ✗ ready: HTTP 500 (wanted: HTTP 200), 3 tries"),
        (inside, "  a line of a script"),
        (inside, "  slow"),
        ((), "✗ check ready              1.2 s"),
    ]


def test_sections_have_names_that_no_other_has() -> None:
    seen = Watched()
    for name in ("step_script", "pull", "pull"):
        seen.reporter.step(name)
    seen.reporter.verdict(Mark.PASSED, ["fine"])
    names = [name for name, _ in seen.read.started]
    assert names == [f"deploy_actions_cafe_{number}" for number in (1, 2, 3, 4)]
    assert seen.read.open == []


def test_an_error_ends_the_section_that_would_hide_it() -> None:
    seen = Watched()
    seen.reporter.step("pull")
    seen.reporter.error("gone", "try again")
    assert seen.read.outside() == ["error: gone", "next: try again"]
    assert "\x1b[31merror:\x1b[0m gone" in seen.log


def test_the_verdict_is_seen_and_says_why_in_a_section_that_is_open() -> None:
    seen = Watched()
    seen.reporter.verdict(Mark.FAILED, ["production still runs sha-1", "  why: no space"])
    assert seen.read.started == [("deploy_actions_cafe_1", "")]
    assert seen.read.text == "✗ production still runs sha-1\n  why: no space"
    assert "\x1b[31m✗ production still runs sha-1\x1b[0m" in seen.log


def test_a_job_of_the_gate_says_where_something_is_wrong() -> None:
    seen = Watched()
    seen.reporter.step("unit")
    seen.reporter.job(JobResult(name="unit", mark=Mark.FAILED, seconds=3, why="1 failed"))
    assert seen.read.outside() == ["✗ unit                     3.0 s  1 failed"]


def test_colours_can_be_refused() -> None:
    seen = Watched(NO_COLOR="1")
    seen.reporter.warn("old disk")
    assert seen.log == "warning: old disk\n"


def tell_everything(reporter: GitLabReporter, text: str) -> None:
    reporter.step(text)
    reporter.check(CheckResult(name=text, mark=Mark.PASSED, value=text, bound=text))
    reporter.output(text)
    reporter.step_done(StepResult(name=text, mark=Mark.PASSED, seconds=1, notes=(text,)))
    reporter.job(JobResult(name=text, mark=Mark.FAILED, seconds=1, why=text))
    say: tuple[Callable[[str], None], ...] = (reporter.note, reporter.warn, reporter.error, reporter.text)
    for each in say:
        each(text)
    reporter.error("x", text)
    reporter.verdict(Mark.FAILED, [text, text])


@pytest.mark.parametrize("text", [HOSTILE, FORGED])
def test_hostile_text_begins_and_ends_no_section_and_no_secret_is_shown(text: str) -> None:
    seen = Watched()
    tell_everything(seen.reporter, f"{text}\npassword hunter2")
    assert seen.read.started == [("deploy_actions_cafe_1", "[collapsed=true]"), ("deploy_actions_cafe_2", "")]
    assert seen.read.open == []
    assert "hunter2" not in seen.log
    ours = seen.log.replace("\r\x1b[0K", "").replace("\x1b[0K", "")
    for code in ("31", "32", "33", "2", "0"):
        ours = ours.replace(f"\x1b[{code}m", "")
    assert not set(ours) & {"\x1b", "\r", "\u202e"}


def test_only_lines_that_are_asked_for_as_they_are_look_like_ours() -> None:
    seen = Watched()
    seen.reporter.note("a\n✓ all is well")
    seen.reporter.error("a\n✓ all is well", "b\n✓ all is well")
    assert [line for line in seen.read.outside() if line.startswith("✓")] == []


def test_outputs_are_variables_for_the_jobs_that_follow() -> None:
    seen = Watched()
    values = outputs(OUTCOMES["several-hosts"])
    seen.reporter.outputs(values | {"evidence-path": f"{FOLDER}/evidence/e-1"})
    assert seen.variables["DEPLOY_STATUS"] == "deployed"
    assert seen.variables["DEPLOY_EVIDENCE_PATH"] == "deploy-actions/evidence/e-1"
    assert seen.variables["DEPLOY_JOB_ID"] == "801"
    assert "DEPLOY_IMAGES" not in seen.variables


def test_a_value_that_no_variable_can_carry_is_warned_of() -> None:
    seen = Watched()
    seen.reporter.outputs({"status": "deployed", "version": "$CI_JOB_TOKEN"})
    assert seen.variables["DEPLOY_VERSION"] == ""
    assert seen.read.text.startswith("warning: DEPLOY_VERSION will be empty")


def test_nothing_is_known_of_a_verb_that_was_killed() -> None:
    host = Host()
    Watched(host).reporter.outputs({"status": "deployed", "version": "sha-1"})
    killed = Watched(host)
    killed.reporter.begin(Verb.POST_VERIFY)
    assert killed.variables == {"DEPLOY_STATUS": "unknown", "DEPLOY_JOB_ID": "801"}


def finished(host: Host, **values: str) -> dict[str, str]:
    """The variables after a finalize that ended so."""
    seen = Watched(host)
    seen.reporter.begin(Verb.FINALIZE)
    seen.reporter.outputs(values)
    return seen.variables


def test_a_finalize_with_nothing_to_do_leaves_what_the_job_said() -> None:
    host = Host()
    Watched(host).reporter.outputs({"status": "rolled_back", "reason-code": "rolled_back"})
    said = finished(host, **{"status": "passed", "reason-code": "passed"})
    assert said["DEPLOY_STATUS"] == "rolled_back"


def test_a_finalize_that_cleared_up_says_so() -> None:
    host = Host()
    Watched(host).reporter.begin(Verb.DEPLOY)
    said = finished(host, **{"status": "rolled_back", "reason-code": "interrupted"})
    assert said["DEPLOY_STATUS"] == "rolled_back"


def test_a_finalize_of_another_job_does_not_pass_on_what_that_one_said() -> None:
    host = Host()
    Watched(host, CI_JOB_ID="7").reporter.outputs({"status": "deployed", "reason-code": "deployed"})
    said = finished(host, **{"status": "passed", "reason-code": "passed"})
    assert (said["DEPLOY_STATUS"], said["DEPLOY_JOB_ID"]) == ("passed", "801")


def test_the_job_links_to_where_it_deployed_and_to_what_is_told_about_it() -> None:
    seen = Watched(CI_ENVIRONMENT_URL="https://shop.example/")
    seen.reporter.outputs({"status": "deployed", "evidence-path": f"{FOLDER}/evidence/e-1"})
    page = GITLAB["CI_JOB_URL"]
    assert page_links(seen) == {
        "https://shop.example/": "Environment",
        f"{page}/artifacts/file/deploy-actions/summary.html": "Summary",
        f"{page}/artifacts/browse/deploy-actions/evidence/e-1": "e-1",
    }


def page_links(seen: Watched) -> dict[str, str]:
    return links(FakeHost(files={LINKS: seen.host.files[f"{FOLDER}/annotations.json"]}))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x\ny", "", "https://<x>"])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    seen = Watched(CI_ENVIRONMENT_URL=url)
    seen.reporter.outputs({"status": "deployed", "evidence-path": "/elsewhere/e-1"})
    assert list(page_links(seen).values()) == ["Summary"]


def test_lost_outputs_are_an_error_and_a_lost_summary_is_not() -> None:
    seen = Watched()
    seen.host.full = True
    seen.reporter.begin(Verb.DEPLOY)
    with pytest.raises(PortFault):
        seen.reporter.outputs({"status": "deployed"})
    seen.reporter.summary("### fine\n")
    assert seen.read.text.count("no space left") == 2


def test_a_full_summary_is_said() -> None:
    seen = Watched()
    for _ in range(30):
        seen.reporter.summary(f"{'x' * 999}\n" * 1100)
    assert seen.read.lines[-1][1].startswith("warning: The job's summary is full already")


@pytest.mark.parametrize("lacking", ["CI_PROJECT_DIR", "CI_JOB_ID"])
def test_without_a_folder_of_the_job_nothing_is_written(lacking: str) -> None:
    seen = Watched(**{lacking: ""})
    seen.reporter.begin(Verb.DEPLOY)
    seen.reporter.outputs({"status": "x"})
    seen.reporter.summary("x")
    assert seen.host.files == {}


def test_masks_are_ours_alone_and_nothing_of_them_is_printed() -> None:
    seen = Watched()
    secrets: Any = ["swordfish%"]
    seen.reporter.mask(secrets)
    seen.reporter.text("it is swordfish%")
    assert seen.log == "it is ***\n"
