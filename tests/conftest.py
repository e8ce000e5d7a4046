"""What all tests have in common: the longest of them come first, what was missing is named at the end."""

import re
from pathlib import Path

import pytest

LONGEST = (
    *("act", "migrations", "git_store", "restore", "compose", "fleet", "process", "faults", "backup"),
    *("tutorials", "told_github", "gitlab", "doctor", "gitlab_migrate", "gitlab_image"),
    *("drift", "plan", "build", "approvals", "git_release", "signed", "way_back", "provision"),
    *("provision_mariadb", "release_record", "examples", "pauses", "ssh", "signed_compose", "take_down"),
)
"""The files of tests/integration that take longest, in this order; `--durations` of a whole run tells."""

_MISSING = re.compile(r"missing component: (.+?) \((.*)\); tests/lab/install\.sh")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several workers begin with what takes long: else one of them is alone with it in the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _turn(item.path))


def _turn(path: Path) -> tuple[bool, int]:
    """Integration before all others, and there by `LONGEST`; files in a row stay as they were."""
    name = path.stem.removeprefix("test_")
    place = LONGEST.index(name) if name in LONGEST else len(LONGEST)
    return path.parent.name != "integration", place


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the components without which tests were skipped, where everybody looks, even with -q."""
    told = "\n".join(str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if missing := sorted(set(_MISSING.findall(told))):
        terminalreporter.section("missing components, their tests were skipped", yellow=True)
        for name, reason in missing:
            terminalreporter.line(f"{name}: {reason}")
