"""What all tests have in common: two of them may run at a time, and what was missing is named at the end."""

import re

import pytest

_MISSING = re.compile(r"missing component: (.+?) \((.*)\); tests/lab/install\.sh")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the components without which tests were skipped, where everybody looks, even with -q."""
    told = "\n".join(str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if missing := sorted(set(_MISSING.findall(told))):
        terminalreporter.section("missing components, their tests were skipped", yellow=True)
        for name, reason in missing:
            terminalreporter.line(f"{name}: {reason}")
