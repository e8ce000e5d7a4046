"""Versions of the demo's project whose commit is known, and what a test reads after a run."""

import json
from pathlib import Path
from typing import Any

from tests.integration.test_process import Project

ONE, TWO, BROKEN = "a" * 40, "b" * 40, "d" * 40


def built(project: Project, commit: str) -> str:
    """Build a version of this commit, which cannot start where it is BROKEN; its name."""
    source = "v2" if commit == BROKEN else "v1"
    text = (project.folder / "builds" / "hello" / source / "app.py").read_text()
    folder = project.folder / "builds" / "hello" / f"sha-{commit}"
    folder.mkdir()
    (folder / "app.py").write_text(f"{text}# {commit}\n")
    return folder.name


def summary_of(project: Project) -> dict[str, str]:
    """The variable of a job for the page that people look at; it is `page(project)`."""
    (project.folder / "summary.md").unlink(missing_ok=True)
    return {"GITHUB_STEP_SUMMARY": str(project.folder / "summary.md")}


def page(project: Project) -> str:
    return (project.folder / "summary.md").read_text()


def result(text: str) -> dict[str, Any]:
    """What `--json` printed."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{\n") :])[0]
    return found


def demands(project: Project, *checks: str) -> None:
    """Let deploy.yml demand these checks of the release's commit."""
    path = Path(project.folder, "deploy.yml")
    path.write_text(f"{path.read_text()}    release: {{commit_checks: {json.dumps(checks)}}}\n")


def ended(project: Project) -> str:
    """How the newest run ended, by the ledger."""
    return str([body["status"] for body in project.ledger() if "status" in body][-1])
