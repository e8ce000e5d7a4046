"""GitLab CI: how it wants to be talked to."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Final
from urllib.parse import quote

from ci_lib.ci.console import SIGNS, Console, check_line, step_line
from ci_lib.ci.gitlab_facts import job_folder
from ci_lib.ci.job_files import FOLDER, PAGE, Files, JobFiles
from ci_lib.ci.jobs import complaints, job_line
from ci_lib.ci.sections import harmless, paint, section_end, section_start
from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.redact import Redactor
from ci_lib.domain.text import block, one_line
from ci_lib.ports.protocols import Clock, PortFault

LEFT_OUT: Final = frozenset({"images"})
"""Outputs that no variable can carry: JSON."""

_PATHS: Final = frozenset({"evidence-path", "result-path"})
_WEB_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%\[\]-]+")


class GitLabReporter:
    """A ``Reporter`` for GitLab's job log, and for the files that GitLab picks up when the job has ended.

    ``env`` names the job and its folder; ``token`` makes the part of section names that no other run has.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        console: Console,
        files: Files,
        redact: Redactor,
        clock: Clock,
        token: Callable[[int], str] = token_hex,
    ) -> None:
        self._console = console
        self._redact = redact
        self._clock = clock
        self._coloured = not env.get("NO_COLOR")
        self._prefix = f"deploy_actions_{token(4)}"
        self._count = 0
        self._open = ""
        folder, job = job_folder(env), env.get("CI_JOB_ID", "")
        self._project = folder.removesuffix(FOLDER)
        self._url, self._environment = env.get("CI_JOB_URL", ""), env.get("CI_ENVIRONMENT_URL", "")
        self._files = JobFiles(folder=folder, job=job, url=self._url, files=files) if folder and job else None
        self._keeps = False

    def begin(self, verb: Verb) -> None:
        """Say in the outputs that nothing is known yet, or those of an earlier run would pass for this one's.

        What other verbs of this job said stays when finalize has nothing to do: it stands at the end of every
        job.
        """
        if self._files is None:
            return
        try:
            self._files.begin()
            self._keeps = verb is Verb.FINALIZE and self._files.outputs_exist()
            if not self._keeps:
                self._files.put_outputs({"status": str(Status.UNKNOWN)})
        except PortFault as fault:
            self.warn(f"the outputs for the next jobs cannot be written: {fault}")

    def step(self, name: str) -> None:
        """Begin a folded section."""
        self._section(harmless(self._one_line(name)), collapsed=True)

    def step_done(self, result: StepResult) -> None:
        """End the section and print the step's line below it, where it is always seen."""
        for note in result.notes:
            self._plain(f"  {one_line(self._redact(note), 1000)}")
        self._close()
        self._marked(result.mark, self._one_line(step_line(result)))

    def check(self, result: CheckResult) -> None:
        """Print the check."""
        self._marked(result.mark, self._one_line(check_line(result)), indent="  ")

    def output(self, line: str) -> None:
        """Print the line inside the section, set apart from ours."""
        self._plain(f"  {one_line(self._redact(line), 1000)}")

    def job(self, result: JobResult) -> None:
        """End the section, print the job's line, and the first of what is wrong in the files."""
        self._close()
        self._marked(result.mark, self._one_line(job_line(result)))
        for spot, text in complaints(result):
            place = f"{spot.path}:{spot.line}" if spot.line else spot.path
            self._plain(f"    {one_line(self._redact(f'{place}: {text}'), 1000)}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._plain(f"note: {self._barred(text)}")

    def warn(self, text: str) -> None:
        """Print a line in colour."""
        self._complain(Mark.WARNED, "warning", text)

    def error(self, message: str, hint: str = "") -> None:
        """Print what failed and what to do next, after ending the section that would hide it."""
        self._close()
        self._complain(Mark.FAILED, "error", message)
        if hint:
            self._plain(f"next: {self._barred(hint)}")

    def text(self, text: str) -> None:
        """Print lines."""
        self._plain(block(self._redact(text)))

    def verdict(self, mark: Mark, lines: Sequence[str]) -> None:
        """Print the verdict as the title of a section that is open, and what explains it inside."""
        first, *rest = (harmless(one_line(self._redact(line), 1000)) for line in lines)
        self._section(self._paint(f"{SIGNS[mark]} {first}", mark), collapsed=False)
        for line in rest:
            self._console.line(line)
        self._close()

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask here alone: GitLab cannot be told what to mask in the output of the job's other commands."""
        self._redact.add(secrets)

    def outputs(self, values: Mapping[str, str]) -> None:
        """Replace the job's outputs and add its links; raises ``PortFault`` when that cannot be done."""
        if self._files is None or (self._keeps and values.get("reason-code") == Reason.PASSED):
            return
        carried = {
            name: self._below(value) if name in _PATHS else value
            for name, value in values.items()
            if name not in LEFT_OUT
        }
        if lost := self._files.put_outputs(carried):
            self.warn(
                f"{', '.join(lost)} will be empty in the jobs that follow: "
                "a variable takes no spaces, quotes or $, and all of them together less than 5 KB"
            )
        if links := self._links(carried.get("evidence-path", "")):
            self._files.add_links(links)

    def summary(self, markdown: str) -> None:
        """Add to the job's page as much as still fits; its loss is no reason to fail a run."""
        if self._files is None:
            return
        try:
            if not self._files.add_summary(markdown):
                self.warn("The job's summary is full already: see the log and the evidence.")
        except PortFault as fault:
            self.warn(f"The job's summary is missing: {fault}")

    def _below(self, path: str) -> str:
        """A path as other jobs find it: from the project's folder, into which GitLab puts artifacts."""
        return path.removeprefix(self._project)

    def _links(self, evidence: str) -> dict[str, str]:
        """What the job's page links to: where it was deployed to, and what is told about it."""
        name = evidence.rpartition("/")[2] if evidence.startswith(f"{FOLDER}/") else ""
        links = {
            self._environment: "Environment",
            f"{self._url}/artifacts/file/{FOLDER}/{PAGE}": "Summary",
            f"{self._url}/artifacts/browse/{quote(evidence)}": name,
        }
        return {url: label for url, label in links.items() if label and _WEB_ADDRESS.fullmatch(url)}

    def _section(self, title: str, *, collapsed: bool) -> None:
        self._close()
        self._count += 1
        self._open = f"{self._prefix}_{self._count}"
        self._console.line(section_start(self._open, title, at=self._now(), collapsed=collapsed))

    def _close(self) -> None:
        if self._open:
            self._console.line(section_end(self._open, at=self._now()))
            self._open = ""

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _complain(self, mark: Mark, word: str, text: str) -> None:
        self._console.line(f"{self._paint(f'{word}:', mark)} {harmless(self._barred(text))}")

    def _marked(self, mark: Mark, text: str, *, indent: str = "") -> None:
        self._console.line(f"{indent}{self._paint(SIGNS[mark], mark)} {harmless(text)}")

    def _plain(self, text: str) -> None:
        self._console.line(harmless(text))

    def _paint(self, text: str, mark: Mark) -> str:
        return paint(text, mark) if self._coloured else text

    def _barred(self, text: str) -> str:
        return block(self._redact(text)).replace("\n", "\n  | ")

    def _one_line(self, text: str) -> str:
        return one_line(self._redact(text))
