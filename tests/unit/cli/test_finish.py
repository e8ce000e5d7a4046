"""In which order an end is written down and told."""

import io
from pathlib import Path
from typing import Any

import pytest

from ci_lib.ci.console import Console
from ci_lib.cli import verb as module
from ci_lib.cli.console import Session
from ci_lib.cli.verb import finish
from ci_lib.domain.errors import Cancelled
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.redact import Redactor
from tests.fakes import FakeHost, FakeReporter
from tests.golden.outcomes import DEPLOYED


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "write", lambda *_: None)


def ended(reporter: FakeReporter, folder: Path) -> None:
    console = Console(io.StringIO())
    session = Session(
        env={"RUNNER_TEMP": str(folder)},
        facts=CiFacts(provider="github", owner="github:acme/shop/9/1/cd", actor="ann"),
        redact=Redactor(),
        reporter=reporter,
        runner=FakeHost(),
        out=console,
        err=console,
    )
    finish(session, None, {}, DEPLOYED, quiet=False)


def test_a_kill_while_the_forge_is_told_loses_neither_summary_nor_outputs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def killed(*_: Any) -> None:
        raise Cancelled("SIGKILL")

    monkeypatch.setattr(module, "told", killed)
    reporter = FakeReporter()
    with pytest.raises(Cancelled):
        ended(reporter, tmp_path)
    kinds = [kind for kind, _ in reporter.said]
    assert kinds.count("summary") == 1
    assert ("output", f"version={DEPLOYED.version}") in reporter.said


def test_what_was_not_told_is_added_to_the_summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def late(*arguments: Any) -> Any:
        return module.replace(arguments[3], notes=(*arguments[3].notes, "github was <not> told"))

    monkeypatch.setattr(module, "told", late)
    reporter = FakeReporter()
    ended(reporter, tmp_path)
    first, second = (text for kind, text in reporter.said if kind == "summary")
    assert "github was" not in first
    assert second == "- github was &lt;not&gt; told\n"
    assert reporter.said[-1][0] == "verdict"
