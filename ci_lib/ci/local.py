"""A terminal, or any CI that we know nothing about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ci_lib.ci.console import SIGNS, WORDS, Console, check_line, step_line
from ci_lib.ci.jobs import complaints, job_line
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.redact import Redactor
from ci_lib.domain.text import block, one_line

_COLOURS: Final = {Mark.PASSED: "32", Mark.FAILED: "31", Mark.WARNED: "33", Mark.SKIPPED: "2"}
_CLEAR_LINE: Final = "\r\x1b[K"


def facts(env: Mapping[str, str], *, owner: str) -> CiFacts:
    """What is known without a CI: who is logged in. ``owner`` names this process for the lock."""
    return CiFacts(provider="local", owner=owner, actor=env.get("USER") or env.get("LOGNAME") or "unknown")


class LocalReporter:
    """A ``Reporter`` for people: a line a step to ``out``, errors and warnings to ``err``.

    ``quiet`` keeps ``out`` empty, for callers that print JSON there. Foreign line breaks are followed by a
    bar, so that no text can pass for a line of ours.
    """

    def __init__(self, *, out: Console, err: Console, redact: Redactor, quiet: bool = False) -> None:
        self._out = out
        self._err = err
        self._redact = redact
        self._quiet = quiet
        self._moving = False

    def begin(self, verb: Verb) -> None:
        """Nothing to do: whoever called knows it."""

    def step(self, name: str) -> None:
        """On a terminal, show at once what is going on; the step's end overwrites it."""
        if self._out.fancy and not self._quiet:
            self._clear()
            self._out.write(f"  {self._one_line(name)} …")
            self._moving = True

    def step_done(self, result: StepResult) -> None:
        """Print the step's line."""
        self._say(self._marked(result.mark, step_line(result)))
        for note in result.notes:
            self._say(f"    {one_line(self._redact(note), 1000)}")

    def check(self, result: CheckResult) -> None:
        """Print the check."""
        self._say("  " + self._marked(result.mark, check_line(result)))

    def output(self, line: str) -> None:
        """Print the line, set apart from ours."""
        self._say(f"  | {one_line(self._redact(line), 1000)}")

    def job(self, result: JobResult) -> None:
        """Print the job's line, and the first of what is wrong in the files."""
        self._say(self._marked(result.mark, job_line(result)))
        for spot, text in complaints(result):
            place = f"{spot.path}:{spot.line}" if spot.line else spot.path
            self._say(f"    {self._one_line(f'{place}: {text}')}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._say(f"note: {self._barred(text)}")

    def warn(self, text: str) -> None:
        """Print a line to ``err``."""
        self._complain(Mark.WARNED, "warning", text)

    def error(self, message: str, hint: str = "") -> None:
        """Print to ``err`` what failed and what to do next."""
        self._complain(Mark.FAILED, "error", message)
        if hint:
            self._err.line(f"next: {self._barred(hint)}")

    def text(self, text: str) -> None:
        """Print lines."""
        self._say(block(self._redact(text)))

    def verdict(self, mark: Mark, lines: Sequence[str]) -> None:
        """Print the verdict, its first line coloured."""
        first, *rest = lines
        sentence = one_line(self._redact(first), 1000)
        self._say("\n" + _paint(f"{_sign(mark, self._out)} {sentence}", mark, self._out))
        for line in rest:
            self._say(one_line(self._redact(line), 1000))

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these values."""
        self._redact.add(secrets)

    def outputs(self, values: Mapping[str, str]) -> None:
        """Nobody follows: the result file holds them."""

    def summary(self, markdown: str) -> None:
        """Markdown is for pages; a terminal gets ``verdict``."""

    def _marked(self, mark: Mark, text: str) -> str:
        return f"{_paint(_sign(mark, self._out), mark, self._out)} {self._one_line(text)}"

    def _one_line(self, text: str) -> str:
        return one_line(self._redact(text))

    def _barred(self, text: str) -> str:
        return block(self._redact(text)).replace("\n", "\n  | ")

    def _complain(self, mark: Mark, word: str, text: str) -> None:
        self._clear()
        self._err.line(f"{_paint(f'{word}:', mark, self._err)} {self._barred(text)}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._clear()
            self._out.line(line)

    def _clear(self) -> None:
        if self._moving:
            self._out.write(_CLEAR_LINE)
            self._moving = False


def _sign(mark: Mark, console: Console) -> str:
    return SIGNS[mark] if console.fancy else f"{WORDS[mark]}:"


def _paint(text: str, mark: Mark, console: Console) -> str:
    return f"\x1b[{_COLOURS[mark]}m{text}\x1b[0m" if console.fancy else text
