"""How a run talks to whoever watches it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.reasons import Verb


class Reporter(Protocol):
    """Progress, notices and results, in the form that the CI or terminal at hand understands.

    Every text may be foreign and may hold secrets: implementations mask and escape it. The exceptions are
    ``outputs``, which machines compare letter by letter, and ``summary``, whose Markdown is escaped already.
    """

    def begin(self, verb: Verb) -> None:
        """A verb begins, of which nothing but an outcome may be told later."""

    def step(self, name: str) -> None:
        """A step begins; what is reported until ``step_done`` belongs to it."""

    def step_done(self, result: StepResult) -> None:
        """The step ended."""

    def check(self, result: CheckResult) -> None:
        """A check was made."""

    def output(self, line: str) -> None:
        """A command of the project printed a line."""

    def job(self, result: JobResult) -> None:
        """A job of the gate ended; what failed is shown where it stands in the files."""

    def note(self, text: str) -> None:
        """Something worth knowing."""

    def warn(self, text: str) -> None:
        """Something that should not be so, but does not stop the run."""

    def error(self, message: str, hint: str = "") -> None:
        """What failed, and what to do next."""

    def text(self, text: str) -> None:
        """Lines to be read as they are: a table, a plan."""

    def verdict(self, mark: Mark, lines: Sequence[str]) -> None:
        """The last word: a first line that says it all, and the lines that explain it."""

    def mask(self, secrets: Iterable[str]) -> None:
        """Never show these values, from now on."""

    def outputs(self, values: Mapping[str, str]) -> None:
        """Hand values to the steps that follow; never masked, as ``***`` in a path or digest helps nobody."""

    def summary(self, markdown: str) -> None:
        """Add Markdown to the page that people look at after the run."""
