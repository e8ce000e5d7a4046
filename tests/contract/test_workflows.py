"""Workflows and actions, ours and those that callers copy: pinned, without injection, clean."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ci_lib.cli.table import TABLE
from tests.contract.generate import ROOT

ACTIONS = sorted((ROOT / "actions").glob("*/action.yml"))
TEMPLATES = sorted((ROOT / "templates" / ".github").glob("*.yml"))
EXAMPLES = sorted(ROOT.glob("examples/*/.github/workflows/*.yml"))
COPIED = [*TEMPLATES, *EXAMPLES]
"""What callers copy."""
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EVERY = pytest.mark.parametrize(
    "path", [*ACTIONS, *COPIED, *OURS], ids=lambda path: str(path.relative_to(ROOT))
)
TEMPLATE = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
RELEASING = pytest.mark.parametrize(
    "path", [path for path in TEMPLATES if path.name != "ci.yml"], ids=lambda path: path.name
)

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
FROM_HERE = re.compile(r"\./[\w-]+")
RELEASED = re.compile(r"org/deploy-actions/([\w-]+)@v1 # zizmor: ignore\[unpinned-uses\]")

_ACTION = re.compile(r"org/deploy-actions/([\w-]+)@")


def loaded(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def mappings(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for under in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(under)


def deploying(workflow: Any) -> dict[str, Any]:
    """The jobs of a workflow that work on an environment."""
    return {name: job for name, job in workflow["jobs"].items() if name != "build"}


def only_looks(job: Any) -> bool:
    """Whether nothing but `drift` is run on the environment."""
    used = {match[1] for step in job["steps"] if (match := _ACTION.match(step["uses"]))}
    return used == {"drift"}


def tool(name: str, *args: str | Path) -> str:
    """What a linter complains about; empty when it does not."""
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([program, *args], cwd=ROOT, capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@EVERY
def test_no_expression_stands_in_a_script(path: Path) -> None:
    assert [node["run"] for node in mappings(loaded(path)) if "${{" in str(node.get("run"))] == []


@EVERY
def test_what_others_wrote_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    allowed = [PINNED, RELEASED] if path in COPIED else [PINNED, FROM_HERE]
    assert [use for use in used if not any(form.fullmatch(use) for form in allowed)] == []


@TEMPLATE
def test_a_template_gives_actions_the_inputs_that_they_have(path: Path) -> None:
    used = [node for node in mappings(loaded(path)) if str(node.get("uses")).startswith("org/")]
    assert used
    for step in used:
        verb = step["uses"].split("/")[2].partition("@")[0]
        options = {option.name: option for option in TABLE[verb].options}
        given = set(step.get("with", {}))
        assert given <= set(options)
        assert {name for name, option in options.items() if option.required} <= given


def test_the_gate_has_the_least_rights_and_a_time_limit() -> None:
    workflow = loaded(ROOT / "templates/.github/ci.yml")
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["gate"]
    assert job["permissions"] == {"contents": "read"}
    assert job["timeout-minutes"]
    assert job["steps"][0]["with"] == {"persist-credentials": False}
    assert "pull_request_target" not in workflow["on"]  # which would run a stranger's code with our secrets


@pytest.mark.parametrize("name", ["orders", "board"])
def test_the_gate_of_an_example_is_the_templates_with_its_tools(name: str) -> None:
    template = loaded(ROOT / "templates/.github/ci.yml")
    example = loaded(ROOT / "examples" / name / ".github/workflows/ci.yml")
    first, *tools, last = example["jobs"]["gate"]["steps"]
    assert tools
    example["jobs"]["gate"]["steps"] = [first, last]
    del template["jobs"]["build"], template["jobs"]["plan"]  # examples are deployed nowhere
    assert example == template


def test_a_plan_of_a_pull_request_is_made_for_those_of_this_repository_alone() -> None:
    jobs = loaded(ROOT / "templates/.github/ci.yml")["jobs"]
    wanted = jobs["build"]["if"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in wanted
    assert "||" not in wanted
    assert jobs["build"]["permissions"] == {"contents": "read", "packages": "write"}
    assert not {"environment", "env"} & set(jobs["build"])
    assert (jobs["plan"]["needs"], "if" in jobs["plan"]) == ("build", False)
    assert jobs["plan"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "environment" not in jobs["plan"]
    plan = jobs["plan"]["steps"][-1]["with"]
    assert plan["version"] == "${{ needs.build.outputs.version }}"
    assert plan["comment"] == "true"


RIGHTS = {
    "cd.yml": {"contents": "read", "actions": "read", "deployments": "write"},
    "rollback.yml": {"contents": "read", "actions": "read", "deployments": "write"},
    "drift.yml": {"contents": "read", "actions": "read", "issues": "write"},
    "restore-test.yml": {"contents": "read", "actions": "read"},
    "backup.yml": {"contents": "read", "actions": "read"},
}
"""What a job that works on an environment may do: no more than what it asks GitHub for."""


@RELEASING
def test_a_job_of_a_template_has_the_least_rights_one_turn_and_a_finalize(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {}
    for job in deploying(workflow).values():
        assert job["permissions"] == RIGHTS[path.name]
        tokens = [step.get("with", {}).get("forge-token") for step in job["steps"][1:]]
        assert "${{ github.token }}" in tokens
        assert job["concurrency"]["cancel-in-progress"] is False
        assert job["environment"]
        assert job["timeout-minutes"]
        if not only_looks(job):  # what takes no lock leaves nothing to clear up
            assert job["steps"][-1]["if"] in ("always()", "always() && !inputs.list")
            assert "/finalize@" in job["steps"][-1]["uses"]
        checkout = job["steps"][0]
        assert checkout["uses"].startswith("actions/checkout@")
        assert checkout["with"] == {"persist-credentials": False}


@TEMPLATE
def test_a_job_that_deploys_nothing_makes_github_write_no_deployment_of_the_environment(path: Path) -> None:
    for job in loaded(path)["jobs"].values():
        used = {match[1] for step in job["steps"] if (match := _ACTION.match(step.get("uses", "")))}
        if used & {"drift", "backup", "restore-test"} and not used & {"deploy", "promote", "rollback"}:
            assert job["environment"] == "production-look"


def test_the_job_that_builds_may_push_and_knows_no_environment() -> None:
    job = loaded(ROOT / "templates/.github/cd.yml")["jobs"]["build"]
    assert job["permissions"] == {"contents": "read", "packages": "write"}
    assert not {"environment", "env"} & set(job)
    assert job["concurrency"]["group"] == "build-${{ github.sha }}"
    assert job["timeout-minutes"]
    assert job["steps"][0]["with"] == {"persist-credentials": False}
    assert job["steps"][1]["with"]["password"] == "${{ secrets.GITHUB_TOKEN }}"


def test_production_gets_the_version_that_staging_got() -> None:
    jobs = loaded(ROOT / "templates/.github/cd.yml")["jobs"]
    assert jobs["staging"]["needs"] == "build"
    (deploy,) = (step for step in jobs["staging"]["steps"] if "/deploy@" in step["uses"])
    assert deploy["with"]["version"] == "${{ needs.build.outputs.version }}"
    assert jobs["staging"]["outputs"] == {"version": "${{ steps.deploy.outputs.version }}"}
    assert jobs["production"]["needs"] == "staging"
    (promote,) = (step for step in jobs["production"]["steps"] if "/promote@" in step["uses"])
    assert promote["with"]["version"] == "${{ needs.staging.outputs.version }}"


def test_nothing_that_waits_can_cancel_a_rollback_that_waits() -> None:
    """Of two runs that wait in one group GitHub keeps the newer; the lock is what they really wait for."""
    rollback = loaded(ROOT / "templates/.github/rollback.yml")
    choices = next(node["options"] for node in mappings(rollback) if node.get("type") == "choice")
    jobs = deploying(loaded(ROOT / "templates/.github/cd.yml"))
    groups = {job["concurrency"]["group"] for job in jobs.values()}
    assert groups == {f"deploy-{environment}" for environment in choices}
    job = rollback["jobs"]["rollback"]
    group = job["concurrency"]["group"]
    assert group == "${{ inputs.list && 'list' || 'rollback' }}-${{ inputs.environment }}"
    assert int(job["steps"][1]["with"]["lock-wait"]) > 0


def test_zizmor_finds_nothing() -> None:
    assert tool("zizmor", "--offline", "--no-progress", *ACTIONS, *COPIED, *OURS) == ""


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("github-workflows", [*COPIED, *OURS]),
        ("github-actions", ACTIONS),
        ("dependabot", [ROOT / ".github/dependabot.yml"]),
    ],
)
def test_the_schemas_of_github_are_kept(kind: str, paths: list[Path]) -> None:
    assert tool("check-jsonschema", "--builtin-schema", f"vendor.{kind}", *paths) == ""
