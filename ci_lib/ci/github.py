"""GitHub Actions: what it says about the run, and how it wants to be talked to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Final, Protocol

from ci_lib.ci.commands import command, harmless, output
from ci_lib.ci.console import SIGNS, Console, check_line, step_line
from ci_lib.ci.jobs import complaints, job_line
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.redact import Redactor, secret_lines
from ci_lib.domain.text import block, head, one_line
from ci_lib.ports.protocols import PortFault

SUMMARY_LIMIT: Final = 1024 * 1024
"""Bytes of ``GITHUB_STEP_SUMMARY`` a step may leave; with one more, GitHub shows nothing at all."""

_CUT: Final = "**The rest did not fit: GitHub shows 1 MiB a step. The evidence holds all of it.**"
_TITLE: Final = {"title": "deploy-actions"}


class CommandFiles(Protocol):
    """The files that the runner hands out for us to append to."""

    def size(self, path: str) -> int:
        """The file's size in bytes; 0 when there is none."""

    def append(self, path: str, data: bytes) -> None:
        """Append; raise ``PortFault`` when that cannot be done."""


def facts(env: Mapping[str, str]) -> CiFacts | None:
    """What GitHub says about this run; None when this is not GitHub.

    The runner's name is part of the owner, since the legs of a matrix share everything else: each runner
    has one job at a time, so equal owners are steps of one job.
    """
    if env.get("GITHUB_ACTIONS") != "true":
        return None
    repository, run, attempt, job, runner = (
        env.get(name, "")
        for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME")
    )
    server = env.get("GITHUB_SERVER_URL", "")
    url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    return CiFacts(
        provider="github",
        owner=f"github:{repository}/{run}/{attempt}/{job}" + (f"@{runner}" if runner else ""),
        actor=env.get("GITHUB_TRIGGERING_ACTOR") or env.get("GITHUB_ACTOR", ""),
        run_url=f"{url}/attempts/{attempt}" if url and attempt else url,
        sha=env.get("GITHUB_SHA", ""),
        ref=env.get("GITHUB_REF", ""),
        hosted=env.get("RUNNER_ENVIRONMENT") == "github-hosted",
        author=env.get("GITHUB_ACTOR", ""),
    )


class GitHubReporter:
    """A ``Reporter`` for GitHub's log, annotations, outputs and job summary.

    ``env`` names the command files; ``token`` makes the delimiters of multi-line outputs.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        console: Console,
        files: CommandFiles,
        redact: Redactor,
        token: Callable[[], str] = token_hex,
    ) -> None:
        self._output = env.get("GITHUB_OUTPUT", "")
        self._summary = env.get("GITHUB_STEP_SUMMARY", "")
        self._console = console
        self._files = files
        self._redact = redact
        self._token = token
        self._in_group = False

    def begin(self, verb: Verb) -> None:
        """Nothing to do: outputs and summary are the step's own."""

    def step(self, name: str) -> None:
        """Open a fold."""
        self._close()
        self._console.line(command("group", self._one_line(name)))
        self._in_group = True

    def step_done(self, result: StepResult) -> None:
        """Close the fold and print the step's line below it, where it is always seen."""
        for note in result.notes:
            self._plain(f"  {one_line(self._redact(note), 1000)}")
        self._close()
        self._plain(f"{SIGNS[result.mark]} {self._one_line(step_line(result))}")

    def check(self, result: CheckResult) -> None:
        """Print the check."""
        self._plain(f"  {SIGNS[result.mark]} {self._one_line(check_line(result))}")

    def output(self, line: str) -> None:
        """Print the line inside the fold."""
        self._plain(one_line(self._redact(line), 1000))

    def job(self, result: JobResult) -> None:
        """Close the fold, print the job's line, and make annotations at file and line."""
        self._close()
        self._plain(f"{SIGNS[result.mark]} {self._one_line(job_line(result))}")
        kind = "warning" if result.allowed else "error"
        for spot, text in complaints(result):
            place = {"file": self._redact(spot.path)} | ({"line": str(spot.line)} if spot.line else {})
            told = one_line(self._redact(f"{result.name}: {text}"), 1000)
            self._console.line(command(kind, told, place))

    def note(self, text: str) -> None:
        """Make a notice."""
        self._annotate("notice", text)

    def warn(self, text: str) -> None:
        """Make a warning."""
        self._annotate("warning", text)

    def error(self, message: str, hint: str = "") -> None:
        """Make an error, after closing the fold that would hide it."""
        self._close()
        self._annotate("error", f"{message}\nNext: {hint}" if hint else message)

    def text(self, text: str) -> None:
        """Print lines."""
        self._plain(block(self._redact(text)))

    def verdict(self, mark: Mark, lines: Sequence[str]) -> None:
        """Print the verdict outside of any fold."""
        self._close()
        said = "\n".join(one_line(self._redact(line), 1000) for line in lines)
        self._plain(f"{SIGNS[mark]} {said}")
        if mark is Mark.FAILED:
            self._console.line(command("error", said))

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask here, and have the runner mask in whatever else the job prints."""
        secrets = tuple(secrets)
        self._redact.add(secrets)
        for value in sorted({line for secret in secrets for line in secret_lines(secret)}):
            self._console.line(command("add-mask", value))

    def outputs(self, values: Mapping[str, str]) -> None:
        """Append to ``GITHUB_OUTPUT``; raises ``PortFault`` when it cannot be written."""
        if self._output:
            entries = (output(name, value, self._token) for name, value in values.items())
            self._files.append(self._output, b"".join(entries))

    def summary(self, markdown: str) -> None:
        """Append to ``GITHUB_STEP_SUMMARY`` as much as still fits; its loss is no reason to fail a run."""
        if not self._summary:
            return
        used = self._files.size(self._summary)
        text = head(("\n\n" if used else "") + markdown, size=SUMMARY_LIMIT - used, notice=_CUT)
        if not text:
            self.warn("The job summary is full already: see the log and the evidence.")
            return
        try:
            self._files.append(self._summary, text.encode())
        except PortFault as fault:
            self.warn(f"The job summary is missing: {fault}")

    def _annotate(self, kind: str, text: str) -> None:
        self._console.line(command(kind, block(self._redact(text)), _TITLE))

    def _plain(self, text: str) -> None:
        self._console.line(harmless(text))

    def _one_line(self, text: str) -> str:
        return one_line(self._redact(text))

    def _close(self) -> None:
        if self._in_group:
            self._console.line(command("endgroup"))
            self._in_group = False
