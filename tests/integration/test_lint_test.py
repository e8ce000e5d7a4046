"""The gate by the real command line, with real tools: ruff, pytest and coverage of this very environment."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.gate_project import CODE, TEST, Project
from tests.integration.shop import START
from tests.lab.components import wait_for

SARIF = ["--output-format=sarif", "."]
COVERAGE = "xml:reports/c.xml"
PYTHON = [sys.executable, "-m"]
UNIT = {
    "name": "unit",
    "command": [*PYTHON, "pytest", "-q", "--junit-xml=reports/unit.xml", "--cov", "--cov-report", COVERAGE],
    "junit": ["reports/unit*.xml"],
    "coverage": "reports/c.xml",
}
LINT = {
    "name": "lint",
    "command": [*PYTHON, "ruff", "check", "--isolated", "--select=F", "--exit-zero", *SARIF],
    "group": "static",
    "sarif": "-",
}


def test_a_sound_project_opens_the_gate(tmp_path: Path) -> None:
    project = Project(tmp_path, LINT, {"name": "more", "command": ["true"], "group": "static"}, UNIT)
    done = project.call("--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["reason_code"]) == (0, "passed", "passed"), done
    assert [job["name"] for job in result["jobs"]] == ["lint", "more", "unit"]
    unit = result["jobs"][2]
    assert (unit["tests"], unit["coverage"]) == ({"passed": 1, "failed": 0, "skipped": 0}, 1.0)
    assert "test_add" in project.evidence("junit.xml")
    assert "The gate is open: 3 jobs passed" in project.evidence("summary.md")


def test_what_is_wrong_is_told_at_its_place_and_the_gate_is_shut(tmp_path: Path) -> None:
    scan = {"name": "scan", "command": ["no-such-scanner"], "install": "get it"}
    project = Project(tmp_path, LINT, scan, UNIT)
    (tmp_path / "lib.py").write_text(f"import os\n{CODE}")
    (tmp_path / "test_lib.py").write_text(TEST.replace("3", "4"))
    done = project.call(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="", GITHUB_OUTPUT="")
    assert done.returncode == 4, done
    lines = done.stdout.splitlines()
    begins = ("file=test_lib.py,line=5::unit: test_lib.test_add", "file=lib.py,line=1::lint: F401")
    for begin in begins:
        assert any(line.startswith(f"::error {begin}") for line in lines), done.stdout
    findings = json.loads(project.evidence("findings.json"))
    assert [(one["job"], one["rule"], one["path"]) for one in findings] == [("lint", "F401", "lib.py")]
    summary = project.evidence("summary.md")
    assert "cannot run (no-such-scanner cannot be started): get it" in summary
    assert "1 of 1 tests failed" in summary


def test_one_job_alone_and_a_job_that_is_not_there(tmp_path: Path) -> None:
    project = Project(tmp_path, {"name": "a", "command": ["true"]}, {"name": "b", "command": ["false"]})
    assert project.call("--job", "a").returncode == 0
    unknown = project.call("--job", "c", "--json")
    assert unknown.returncode == 2
    assert "it has: a, b" in json.loads(unknown.stdout)["failure"]["hint"]


@pytest.mark.parametrize("group", [{}, {"group": "both"}], ids=["one", "group"])
def test_a_cancelled_gate_ends_its_commands(tmp_path: Path, group: dict[str, str]) -> None:
    sleeping = ["sh", "-c", 'echo $$ > "$0"; exec sleep 60']
    jobs = [{"name": name, "command": [*sleeping, name]} | group for name in ("a", "b")]
    Project(tmp_path, *jobs)
    process = subprocess.Popen(
        [*START, "lint-test"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    begun = [tmp_path / name for name in ("a", "b")[: 2 if group else 1]]
    wait_for(lambda: all(path.exists() and path.read_text().strip() for path in begun), "the jobs to begin")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130, out
    for path in begun:
        assert not Path(f"/proc/{path.read_text().strip()}").exists()


def test_code_that_no_test_reaches_shuts_the_gate(tmp_path: Path) -> None:
    project = Project(tmp_path, UNIT)
    branch = "\n".join(f"    one += {count}" for count in range(10))
    (tmp_path / "lib.py").write_text(f"{CODE}\n\ndef untested(one: int) -> int:\n{branch}\n    return one\n")
    done = project.call()
    assert done.returncode == 4, done
    assert re.search(r"\| coverage \d\d\.\d% is below 80 % \|", project.evidence("summary.md"))


def test_a_run_without_a_test_shuts_the_gate(tmp_path: Path) -> None:
    project = Project(tmp_path, UNIT)
    (tmp_path / "test_lib.py").unlink()
    done = project.call("--json")
    (job,) = json.loads(done.stdout)["jobs"]
    assert (done.returncode, job["exit_code"]) == (4, 5)
    assert "no test was executed; `allow_no_tests: true` if that is meant" in job["why"]


def test_a_tool_that_its_launcher_does_not_find_has_a_fallback_or_says_how_to_install_it(
    tmp_path: Path,
) -> None:
    linter = {"name": "lint", "command": [*PYTHON, "no_such_linter"], "install": "pip install no-such-linter"}
    project = Project(
        tmp_path, linter, {**linter, "name": "quick", "fallback": [*PYTHON, "compileall", "-q", "."]}
    )
    done = project.call("--json")
    lint, quick = json.loads(done.stdout)["jobs"]
    said = f"{sys.executable}: No module named no_such_linter"
    assert (done.returncode, lint["why"]) == (4, f"cannot run ({said}): pip install no-such-linter")
    assert (quick["mark"], quick["fell_back"]) == ("passed", said)


def test_a_command_that_hangs_ends_at_its_limit(tmp_path: Path) -> None:
    project = Project(tmp_path, {"name": "hangs", "command": ["sleep", "60"], "time_limit": "1s"})
    done = project.call("--json")
    (job,) = json.loads(done.stdout)["jobs"]
    assert (done.returncode, job["why"]) == (4, "did not end within 1 s")
