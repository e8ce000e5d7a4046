"""What shuts the gates of the examples, with the tools that they lock; `test_act.py` sees them open."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Require
from tests.integration.shop import START
from tests.lab import examples
from tests.lab.components import compose
from tests.lab.orders import build_orders


@dataclass(frozen=True)
class Example:
    """A copy of an example."""

    folder: Path
    env: dict[str, str]

    def lint_test(self, *jobs: str, **env: str) -> tuple[int, dict[str, Any]]:
        """Exit code and result of the gate, or of these jobs of it."""
        chosen = [word for job in jobs for word in ("--job", job)]
        done = subprocess.run(
            [*START, "lint-test", "--json", *chosen],
            cwd=self.folder,
            env={**os.environ, **self.env, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that stands there once."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


@pytest.fixture
def example_env(require: Require, tmp_path: Path) -> dict[str, str]:
    require("uv and pnpm", examples.missing())
    return examples.environment(tmp_path / "bin")


@pytest.fixture
def orders(example_env: dict[str, str], tmp_path: Path) -> Example:
    """uv installs what is missing by itself."""
    return Example(examples.copy("orders", tmp_path / "orders"), example_env)


@pytest.fixture
def board(example_env: dict[str, str], tmp_path: Path) -> Example:
    found = Example(examples.copy("board", tmp_path / "board"), example_env)
    examples.install("board", found.folder, example_env)
    return found


def told(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, mark and reason of each job."""
    return [(job["name"], job["mark"], job["why"]) for job in result["jobs"]]


def test_a_secret_in_a_commit_shuts_the_gate_of_orders(orders: Example) -> None:
    (orders.folder / "orders" / "keys.py").write_text(f'KEY = "AKIA{"IOSFODNN7EXAMPLF"}"\n')
    subprocess.run(["git", "add", "-A"], cwd=orders.folder, check=True)
    code, result = orders.lint_test("secrets")
    assert code == 4
    why = "1 findings of severity high or worse, the worst critical"
    assert told(result) == [("secrets", "failed", why)]
    assert result["jobs"][0]["findings"] == {"critical": 1}
    findings = json.loads((Path(result["evidence_path"]) / "findings.json").read_text())
    assert [(one["path"], one["line"]) for one in findings] == [("orders/keys.py", 1)]


def test_a_lock_file_that_is_behind_is_not_quietly_renewed(orders: Example) -> None:
    orders.edit("pyproject.toml", '"sqlalchemy>=2.0"', '"sqlalchemy>=2.0", "click"')
    code, _ = orders.lint_test("lint")
    assert code == 4
    changed = subprocess.run(
        ["git", "diff", "--exit-code", "uv.lock"], cwd=orders.folder, capture_output=True
    )
    assert changed.returncode == 0


def test_the_image_of_orders_is_ready_when_its_migrations_have_run(
    require: Require, project: str, postgres_image: str, tmp_path: Path
) -> None:
    require("uv and pnpm", examples.missing())
    image = build_orders("sha-1")
    services = {"api": {"image": image}, "worker": {"image": image}, "db": {"image": postgres_image}}
    stack = examples.copy("orders", tmp_path / "orders") / "stacks" / "orders"
    (stack / "compose.override.yaml").write_text(json.dumps({"services": services}))
    (stack / ".env").write_text("POSTGRES_PASSWORD=only-for-tests\nORDERS_PORT=0\n")
    files = ("-f", "docker-compose.yml", "-f", "compose.override.yaml")

    def run(*words: str) -> str:
        return compose(project, stack, *files, *words)

    def ask(path: str) -> str:
        address = run("port", "api", "8000").strip()
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.read().decode()

    run("run", "--rm", "api", "alembic", "upgrade", "head")
    assert run("run", "--rm", "api", "alembic", "current").strip() == "0002 (head)"
    run("up", "-d", "--wait", "api")
    assert json.loads(ask("/version")) == {"version": "sha-1"}
    assert ask("/metrics") == "orders_total 0\n"
    run("run", "--rm", "api", "alembic", "downgrade", "0001")
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("/ready")
    assert "not at ['0002']" in refused.value.read().decode()


def test_a_type_check_that_runs_out_of_memory_has_its_fast_path_and_one_that_finds_errors_has_not(
    board: Example,
) -> None:
    wrong = board.folder / "test" / "unit" / "wrong.ts"
    wrong.write_text("export const wrong: number = 'a text';\n")
    code, result = board.lint_test("types")
    assert code == 4
    assert (result["jobs"][0]["exit_code"], result["jobs"][0]["fell_back"]) == (2, "")

    small = "node --max-old-space-size=30 node_modules/typescript/bin/tsc"
    board.edit("package.json", '"typecheck": "tsc"', f'"typecheck": "{small}"')
    code, result = board.lint_test("types")
    assert code == 0, result
    assert "JavaScript heap out of memory" in result["jobs"][0]["fell_back"]


def test_what_is_not_installed_says_how_to_install_it(example_env: dict[str, str], tmp_path: Path) -> None:
    board = Example(examples.copy("board", tmp_path / "board"), example_env)
    _, result = board.lint_test("lint")
    install = "install pnpm (npm install --global pnpm, or pnpm/action-setup), then run: pnpm install"
    install += "; package.json must have the script lint"
    assert told(result) == [("lint", "failed", f"cannot run (sh: 1: oxlint: not found): {install}")]

    board.edit("package.json", '"lint": ', '"other": ')
    code, result = board.lint_test("lint")
    missing = "ERR_PNPM_NO_SCRIPT Missing script: lint"
    assert (code, told(result)) == (4, [("lint", "failed", f"cannot run ({missing}): {install}")])
