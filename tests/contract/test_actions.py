"""The actions are the table's, start in both layouts, and keep their inputs out of scripts."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ci_lib.cli.options import Kind, Where
from ci_lib.cli.table import ACTIONS, VERBS, Command
from ci_lib.report.outputs import outputs
from tests.contract.generate import ROOT, files
from tests.golden.outcomes import DEPLOYED

ALL = pytest.mark.parametrize("verb", ACTIONS, ids=[verb.name for verb in ACTIONS])
VERB = pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
GENERATED = files()
FOLDERS = ["_setup", *(verb.name for verb in ACTIONS)]


def loaded(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(path.read_text("utf-8"))
    return document


def action(name: str) -> dict[str, Any]:
    return loaded(ROOT / "actions" / name / "action.yml")


def script(name: str) -> str:
    text: str = action(name)["runs"]["steps"][0]["run"]
    return text


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == GENERATED[name], "run: make docs"


@ALL
def test_inputs_are_the_options_that_are_not_for_a_terminal(verb: Command) -> None:
    wanted = {option.name: option for option in verb.options if option.where is not Where.TERMINAL}
    inputs = action(verb.name)["inputs"]
    assert set(inputs) == set(wanted)
    for name, option in wanted.items():
        assert inputs[name]["description"].startswith(option.help)
        assert inputs[name].get("required", False) == option.required
        default = "false" if option.kind is Kind.FLAG else option.default
        assert inputs[name].get("default", "") == default


@ALL
def test_outputs_are_those_of_the_table_and_come_from_the_run(verb: Command) -> None:
    declared = action(verb.name).get("outputs", {})
    assert {name: made["value"] for name, made in declared.items()} == {
        output.name: f"${{{{ steps.run.outputs.{output.name} }}}}" for output in verb.outputs
    }
    assert {name: made["description"] for name, made in declared.items()} == {
        output.name: output.help for output in verb.outputs
    }


def test_verbs_hand_on_what_a_run_writes_a_plan_its_hash_and_the_doctor_nothing() -> None:
    assert all([output.name for output in verb.outputs] == list(outputs(DEPLOYED)) for verb in VERBS)
    others = {command.name: [one.name for one in command.outputs] for command in ACTIONS[len(VERBS) :]}
    assert others == {"plan": ["plan-hash"], "doctor": []}


@ALL
def test_inputs_reach_the_command_line_as_variables_and_gates_as_flags(verb: Command) -> None:
    env = action(verb.name)["runs"]["steps"][0]["env"]
    for option in verb.options:
        if option.where in (Where.EVERYWHERE, Where.SECRET):
            assert env.pop(option.variable) == f"${{{{ inputs.{option.name} }}}}"
        elif option.where is Where.GATE:
            assert f"inputs.{option.name}" in env.pop(option.name.upper().replace("-", "_"))
    assert env == {}


@ALL
def test_a_verb_has_an_action_a_module_and_is_explained(verb: Command) -> None:
    assert verb.action
    assert (ROOT / "actions" / verb.name / "README.md").exists()
    assert (ROOT / "ci_lib" / "cli" / f"{verb.name.replace('-', '_')}.py").exists()
    assert verb.name in (ROOT / "README.md").read_text("utf-8")


@VERB
def test_the_evidence_is_kept_when_the_verb_failed(verb: Command) -> None:
    keep = action(verb.name)["runs"]["steps"][-1]
    assert keep["if"].startswith("always() && ")
    assert keep["with"]["name"] == "${{ steps.run.outputs.evidence-name }}"


@pytest.mark.parametrize("name", FOLDERS)
def test_an_action_is_found_at_the_root(name: str) -> None:
    link = ROOT / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"actions/{name}"


def test_there_are_no_other_actions_and_no_other_links() -> None:
    assert sorted(path.name for path in (ROOT / "actions").iterdir() if path.is_dir()) == sorted(FOLDERS)
    assert sorted(path.name for path in ROOT.iterdir() if path.is_symlink()) == sorted(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_script_is_short_and_becomes_the_package(name: str) -> None:
    steps = action(name)["runs"]["steps"]
    assert all(step["name"] for step in steps)
    lines = script(name).splitlines()
    assert steps[0]["shell"] == "bash"
    assert len(lines) <= 8
    assert lines[2].startswith("exec ")


@pytest.fixture(params=["links", "copies"])
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The repository in one of its layouts, with a start.sh that only says how it was called."""
    folder = tmp_path / "a release"
    folder.mkdir()
    names = ["actions", "pyproject.toml", *FOLDERS]
    copy = "-r" if request.param == "links" else "-rL"
    subprocess.run(["cp", copy, *names, folder], cwd=ROOT, check=True)
    for start in folder.rglob("start.sh"):
        start.write_text('printf "<%s>" "$0" "$@"')
    return folder


def called(release: Path, path: str, **env: str) -> str:
    """How the action at that path of a release calls start.sh."""
    given = {"PATH": os.environ["PATH"], "GITHUB_ACTION_PATH": str(release / path), **env}
    argv = ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script(path.rpartition("/")[2])]
    unset = dict.fromkeys(("FORCE", "SKIP_CHECKS", "APPROVER"), "")
    done = subprocess.run(argv, env=unset | given, capture_output=True, text=True, check=True)
    return done.stdout.removeprefix(f"<{release}/actions/_setup/start.sh>")


@pytest.mark.parametrize("prefix", ["", "actions/"])
def test_every_action_finds_the_start_in_both_layouts(release: Path, prefix: str) -> None:
    for verb in ACTIONS:
        assert called(release, prefix + verb.name) == f"<{verb.name}>"
    assert called(release, f"{prefix}_setup") == "<--version>"


def test_gates_are_handed_on_as_one_word_each(release: Path) -> None:
    gates = {"FORCE": "$(touch x) '--json", "SKIP_CHECKS": "true", "APPROVER": "A B"}
    flags = f"<--force={gates['FORCE']}><--skip-checks><--approver=A B>"
    assert called(release, "promote", **gates) == "<promote>" + flags
    assert called(release, "rollback", **gates) == "<rollback><--skip-checks><--approver=A B>"


def test_without_a_suitable_python_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [ROOT / "actions/_setup/start.sh", "deploy"],
        env={"PATH": str(tmp_path), "GITHUB_ACTIONS": "true"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("::error title=deploy-actions::Python 3.11 or newer is needed")
    assert "actions/setup-python" in done.stdout
    assert done.stdout.count("\n") == 1
