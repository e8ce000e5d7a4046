"""The gate's presets: jobs as deploy.yml would write them, under the names that their tools usually have.

Jobs that only read the sources stand in one group, so that they run at the same time.
"""

from collections.abc import Mapping
from typing import Final, Literal

Preset = Literal["python-uv", "python-pip", "node-pnpm", "node-npm"]
Jobs = tuple[Mapping[str, object], ...]

# Projects have this folder in their .gitignore, and nothing in it becomes part of a release. Below "reports/"
# they would be new files of the checkout and, with `source: .`, change the release's id.
_REPORTS: Final = ".deploy-actions/reports"
_STATIC: Final = {"group": "static"}
_TESTS: Final = {"time_limit": "30m"}


def _python(run: tuple[str, ...], install: str) -> Jobs:
    """ruff, mypy and pytest, started by ``run``; the names of packages follow ``install``."""
    junit, coverage = f"{_REPORTS}/test.xml", f"{_REPORTS}/coverage.xml"
    pytest = ("pytest", f"--junit-xml={junit}", "--cov", f"--cov-report=xml:{coverage}")
    ruff, mypy = {"install": f"{install} ruff", **_STATIC}, {"install": f"{install} mypy", **_STATIC}
    reports = {"junit": (junit,), "coverage": coverage, "coverage_min": "80%"}
    return (
        {"name": "format", "command": (*run, "ruff", "format", "--check", "."), **ruff},
        {"name": "lint", "command": (*run, "ruff", "check", "."), **ruff},
        {"name": "types", "command": (*run, "mypy", "."), **mypy},
        {
            "name": "test",
            "command": (*run, *pytest),
            "install": f"{install} pytest pytest-cov",
            **_TESTS,
            **reports,
        },
    )


def _node(manager: str, install: str) -> Jobs:
    """Scripts of package.json. Only the project knows their reporters, so their exit codes decide."""

    def job(name: str, script: str, more: Mapping[str, object]) -> Mapping[str, object]:
        needs = f"{install}; package.json must have the script {script}"
        return {"name": name, "command": (manager, "run", script), "install": needs, **more}

    return (
        job("lint", "lint", _STATIC),
        job("types", "typecheck", _STATIC),
        job("test", "test", _TESTS),
        job("integration", "test:integration", _TESTS),
    )


PRESETS: Final[Mapping[Preset, Jobs]] = {
    "python-uv": _python(
        ("uv", "run", "--locked"),
        "install uv (https://docs.astral.sh/uv or astral-sh/setup-uv), then run: uv add --dev",
    ),
    "python-pip": _python(
        ("python", "-m"),
        "put the project's Python on PATH as python (actions/setup-python), then run: python -m pip install",
    ),
    "node-pnpm": _node(
        "pnpm",
        "install pnpm (npm install --global pnpm, or pnpm/action-setup), then run: pnpm install",
    ),
    "node-npm": _node("npm", "install Node.js (https://nodejs.org or actions/setup-node), then run: npm ci"),
}
