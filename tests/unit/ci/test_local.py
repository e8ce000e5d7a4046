import io

from ci_lib.ci.console import Console
from ci_lib.ci.local import LocalReporter
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.redact import Redactor
from tests.golden.outcomes import HOSTILE

SWITCH = StepResult(name="switch", mark=Mark.PASSED, seconds=1.2, notes=("orphan left",))


class Terminal(io.TextIOWrapper):
    """A text stream that says it is a terminal and can be read back."""

    def __init__(self, *, encoding: str = "utf-8", tty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    @property
    def shown(self) -> str:
        self.seek(0)
        return self.read()


class Watched:
    """A reporter and its two streams."""

    def __init__(self, *, fancy: bool = False, quiet: bool = False) -> None:
        self.out, self.err = Terminal(tty=fancy), Terminal(tty=False)
        self.reporter = LocalReporter(
            out=Console.of(self.out, {}),
            err=Console.of(self.err, {}),
            redact=Redactor(["hunter2"]),
            quiet=quiet,
        )


def tell_everything(reporter: LocalReporter, text: str) -> None:
    reporter.step(text)
    reporter.check(CheckResult(name=text, mark=Mark.FAILED, value=text, bound=text))
    reporter.step_done(StepResult(name=text, mark=Mark.SKIPPED, seconds=1, notes=(text,)))
    reporter.note(text)
    reporter.warn(text)
    reporter.error(text, text)
    reporter.verdict(Mark.FAILED, [text, text])


def test_without_a_terminal_there_are_plain_words() -> None:
    seen = Watched()
    seen.reporter.step("switch")
    seen.reporter.step_done(SWITCH)
    seen.reporter.verdict(Mark.PASSED, ["shop production runs sha-2", "  took: 3 s"])
    assert seen.out.shown == (
        "ok: switch                   1.2 s\n    orphan left\n"
        "\nok: shop production runs sha-2\n  took: 3 s\n"
    )


def test_on_a_terminal_the_running_step_is_overwritten_by_its_result() -> None:
    seen = Watched(fancy=True)
    seen.reporter.step("switch")
    seen.reporter.step_done(SWITCH)
    assert seen.out.shown == (
        "  switch …\r\x1b[K\x1b[32m✓\x1b[0m switch                   1.2 s\n    orphan left\n"
    )


def test_errors_go_to_standard_error_with_the_next_step() -> None:
    seen = Watched(fancy=True)
    seen.reporter.error("no such stack 'shp'", "did you mean shop?")
    assert seen.out.shown == ""
    assert seen.err.shown == "error: no such stack 'shp'\nnext: did you mean shop?\n"


def test_quiet_leaves_standard_output_to_the_caller() -> None:
    seen = Watched(fancy=True, quiet=True)
    tell_everything(seen.reporter, "x")
    seen.reporter.text("x")
    assert seen.out.shown == ""
    assert "error: x" in seen.err.shown


def test_foreign_text_can_neither_move_the_cursor_nor_pass_for_a_line_of_ours() -> None:
    seen = Watched()
    tell_everything(seen.reporter, HOSTILE + "\nok: all is well, password hunter2")
    shown = seen.out.shown + seen.err.shown
    assert not set(shown) & {"\x1b", "\r", "\u202e"}
    assert not any(line.startswith(("ok:", "::", "##[")) for line in shown.splitlines())
    assert "hunter2" not in shown


def test_a_stream_that_knows_no_signs_gets_words_and_escapes() -> None:
    stream = Terminal(encoding="ascii")
    console = Console.of(stream, {})
    console.line("✓ naïve")
    assert not console.fancy
    assert stream.shown == "\\u2713 na\\xefve\n"


def test_colours_are_for_terminals_that_have_not_said_no() -> None:
    assert Console.of(Terminal(), {}).fancy
    assert not Console.of(Terminal(), {"NO_COLOR": "1"}).fancy
    assert not Console.of(Terminal(), {"TERM": "dumb"}).fancy
    assert not Console.of(Terminal(tty=False), {}).fancy


def test_a_secret_learnt_late_is_masked_from_then_on() -> None:
    seen = Watched()
    seen.reporter.mask(["swordfish"])
    seen.reporter.text("it is swordfish\nindeed")
    assert seen.out.shown == "it is ***\nindeed\n"


def test_outputs_and_markdown_are_nothing_for_a_terminal() -> None:
    seen = Watched()
    seen.reporter.outputs({"status": "deployed"})
    seen.reporter.summary("### x")
    assert seen.out.shown + seen.err.shown == ""
