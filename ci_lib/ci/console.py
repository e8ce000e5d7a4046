"""Writing lines to a stream that may be a terminal, may not know our characters, or may be neither."""

from collections.abc import Mapping
from typing import Final, Self, TextIO

from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.text import duration

SIGNS: Final = {Mark.PASSED: "✓", Mark.FAILED: "✗", Mark.WARNED: "!", Mark.SKIPPED: "-"}
WORDS: Final = {Mark.PASSED: "ok", Mark.FAILED: "failed", Mark.WARNED: "warning", Mark.SKIPPED: "skipped"}


class Console:
    r"""Lines on a text stream, written at once; characters it cannot encode appear as ``\u2713``.

    ``fancy`` says whether colours, signs and a moving line are welcome.
    """

    def __init__(self, stream: TextIO, *, fancy: bool = False) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self.fancy = fancy

    @classmethod
    def of(cls, stream: TextIO, env: Mapping[str, str]) -> Self:
        """Fancy on a terminal that knows our signs and has not said no (no-color.org)."""
        knows_signs = (stream.encoding or "").lower().replace("-", "") == "utf8"
        refused = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
        return cls(stream, fancy=stream.isatty() and knows_signs and not refused)

    def write(self, text: str) -> None:
        """Write ``text`` as it is."""
        self._stream.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding))
        self._stream.flush()

    def line(self, text: str) -> None:
        """Write ``text`` and a line end."""
        self.write(text + "\n")


def step_line(result: StepResult) -> str:
    """A finished step in a few words."""
    return f"{result.name:<24} {duration(result.seconds)}"


def check_line(result: CheckResult) -> str:
    """A check in a few words: what was seen, and what was demanded."""
    tries = f", {result.tries} tries" if result.tries > 1 else ""
    wanted = f" (wanted: {result.bound})" if result.bound else ""
    return f"{result.name}: {result.value}{wanted}{tries}"
