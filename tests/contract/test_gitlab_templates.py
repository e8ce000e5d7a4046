"""The templates of GitLab are the table's, valid however they are filled in, with no input in a script."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.options import Kind, Where
from ci_lib.cli.table import TABLE, Command
from ci_lib.version import VERSION
from tests.contract.gitlab_files import FOLDER, variable
from tests.contract.gitlab_inputs import TIERS, options
from tests.contract.gitlab_jobs import JOBS, TEMPLATED
from tests.contract.gitlab_render import SHA, Wrong, documents, render
from tests.contract.test_workflows import ROOT, mappings, tool

ALL = pytest.mark.parametrize("verb", TEMPLATED, ids=[verb.name for verb in TEMPLATED])
PLACED = [verb for verb in TEMPLATED if JOBS[verb.name].action]
IN_PLACE = pytest.mark.parametrize("verb", PLACED, ids=[verb.name for verb in PLACED])
TEMPLATES = sorted((ROOT / FOLDER).glob("*.yml"))
COMPONENTS = sorted((ROOT / "templates").glob("*.yml"))
EVERY = pytest.mark.parametrize(
    "path", [*TEMPLATES, *COMPONENTS], ids=lambda path: str(path.relative_to(ROOT / "templates"))
)
PIPELINE = ROOT / FOLDER / "pipeline.yml"
GLOBAL = {"default", "variables", "stages", "workflow", "image", "services", "cache", "before_script"}


def path_of(verb: Command) -> Path:
    return ROOT / FOLDER / f"{verb.name}.yml"


def needed(path: Path) -> dict[str, Any]:
    """A value for each input that has no default."""
    samples = {"environment": "staging", "tier": "staging", "needs": ["before"], "version": "v1"}
    samples["deploy-job"] = "deploy"
    declared = documents(path)[0]["spec"]["inputs"]
    return {name: samples[name] for name, spec in declared.items() if "default" not in spec}


def job(verb: Command, **given: object) -> dict[str, Any]:
    """The job of a verb's template; names are written with `_`."""
    path = path_of(verb)
    named = {name.replace("_", "-"): value for name, value in given.items()}
    made: dict[str, Any] = next(iter(render(path, needed(path) | named).values()))
    return made


def choices(path: Path) -> Iterator[dict[str, Any]]:
    """The inputs that are needed, with each option of each input, and with another value of every type."""
    base = needed(path)
    yield base
    other: dict[str, Any] = {"boolean": True, "number": 7}
    for name, spec in documents(path)[0]["spec"]["inputs"].items():
        for value in spec.get("options", ()):
            yield base | {name: value}
        if spec.get("type") in other:
            yield base | {name: other[spec["type"]]}


@ALL
def test_inputs_are_the_options_that_are_not_for_a_terminal(verb: Command) -> None:
    declared = documents(path_of(verb))[0]["spec"]["inputs"]
    wanted = {option.name: option for option in verb.options if option.where is not Where.TERMINAL}
    wanted.pop("evidence", None)  # it goes where GitLab keeps it
    types = {Kind.FLAG: "boolean", Kind.NUMBER: "number", Kind.TEXT: "string", Kind.MANY: "string"}
    for name, option in wanted.items():
        assert declared[name]["description"].startswith(option.help)
        assert declared[name].get("type", "string") == types[option.kind]
        assert ("default" not in declared[name]) == option.required
        wanted_default = "false" if option.kind is Kind.FLAG else option.default
        assert option.required or str(declared[name]["default"]).lower() == wanted_default


@ALL
def test_every_option_comes_as_a_variable_and_a_gate_as_one_that_the_command_line_does_not_read(
    verb: Command,
) -> None:
    given = documents(path_of(verb))[1]["$[[ inputs.job-name ]]"]["variables"]
    read = {option.variable for option in verb.options if option.variable}
    for option in options(verb):
        held = given.pop(variable(option))
        assert f"$[[ inputs.{option.name} ]]" in (held["value"] if isinstance(held, dict) else held)
        assert (variable(option) in read) == (option.where is not Where.GATE)
    assert set(given) == {
        "DEPLOY_ACTIONS_LIBRARY_PROJECT",
        "DEPLOY_ACTIONS_LIBRARY_REF",
    }


@ALL
def test_what_a_person_writes_is_not_searched_for_variables(verb: Command) -> None:
    free = [option for option in options(verb) if option.where is Where.GATE or option.name == "reason"]
    for option in free:
        if option.kind is not Kind.FLAG:
            held = job(verb, **{option.name.replace("-", "_"): "$HOME"})["variables"][variable(option)]
            assert held == {"value": "$HOME", "expand": False}


@ALL
def test_variables_are_texts_or_numbers_as_gitlab_wants_them(verb: Command) -> None:
    for value in job(verb)["variables"].values():
        held = value["value"] if isinstance(value, dict) else value
        assert isinstance(held, str | int)
        assert not isinstance(held, bool)


@EVERY
def test_no_input_stands_in_a_script(path: Path) -> None:
    for node in mappings(documents(path)[1]):
        for key in ("script", "before_script", "after_script"):
            assert "$[[" not in json.dumps(node.get(key, []))


@EVERY
def test_the_version_is_never_taken_from_the_pipelines_commit(path: Path) -> None:
    """A promotion in a newer pipeline would name the wrong one; what `build` made in this one is its own."""
    text = path.read_text("utf-8")
    allowed = 1 if path.name == "pipeline.yml" else 0
    assert text.count("CI_COMMIT_SHA") == allowed
    assert not re.search(r"CI_COMMIT_(?!SHA|BRANCH == )", text)


def test_the_version_of_the_pipeline_is_what_build_calls_the_images_of_a_commit() -> None:
    default = documents(PIPELINE)[0]["spec"]["inputs"]["version"]["default"]
    assert default == "sha-$CI_COMMIT_SHA"
    built = next(option for option in TABLE["build"].options if option.name == "version")
    assert "sha- and the commit's 40 digits" in built.help


@EVERY
def test_nothing_of_the_callers_whole_pipeline_is_touched(path: Path) -> None:
    allowed = {"stages"} if path == PIPELINE else set()
    assert documents(path)[1].keys() & GLOBAL <= allowed


@EVERY
def test_an_input_in_a_condition_is_in_double_quotes_unless_it_is_the_condition(path: Path) -> None:
    for node in mappings(documents(path)[1]):
        condition = str(node.get("if", "")).replace("$[[ inputs.rules-if ]]", "")
        assert re.findall(r'(?<!")\$\[\[|\]\](?!")', condition) == []


@EVERY
def test_every_filling_keeps_the_schema_of_gitlab(path: Path, tmp_path: Path) -> None:
    header = tmp_path / "header.json"
    header.write_text(json.dumps(documents(path)[0]))
    made = [header]
    for number, given in enumerate(choices(path)):
        made.append(tmp_path / f"{number}.json")
        made[-1].write_text(json.dumps(render(path, given)))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *made) == ""


@IN_PLACE
@pytest.mark.parametrize("tier", TIERS)
def test_a_job_on_an_environment_has_its_tier_and_its_turn(verb: Command, tier: str) -> None:
    made = job(verb, environment="blue", tier=tier)
    assert made["environment"] == {
        "name": "blue",
        "deployment_tier": tier,
        "action": JOBS[verb.name].action,
    }
    assert made["resource_group"] == "blue"
    assert made["inherit"] == {"default": False}


def test_the_jobs_that_deploy_know_the_one_that_takes_down() -> None:
    """GitLab merges jobs of one name: what another template begins gets its `on_stop` here."""
    path = path_of(TABLE["take-down"])
    down, deploy, rollback = render(path, needed(path)).items()
    pair = {"environment": {"name": "staging", "on_stop": "take-down"}}
    assert (down[0], deploy, rollback) == ("take-down", ("deploy", pair), (".no-rollback", pair))
    assert down[1]["environment"]["action"] == "stop"
    # GitLab starts it only where it may run whenever the other may, at the same turn.
    other = job(TABLE["deploy"])
    assert down[1]["rules"][-1]["if"] == other["rules"][-1]["if"]
    assert down[1]["resource_group"] == other["resource_group"]
    assert down[1]["needs"] == []


@IN_PLACE
def test_the_environment_is_one_of_the_names_that_deploy_yml_takes(verb: Command) -> None:
    for bad in ("Production", "a/b", "$CI_COMMIT_BRANCH", "-x", "", "x" * 64, "a\nb"):
        with pytest.raises(Wrong):
            job(verb, environment=bad)
    with pytest.raises(Wrong):
        job(verb, tier="prod")


@ALL
def test_the_results_are_kept_when_the_job_failed(verb: Command) -> None:
    kept = job(verb)["artifacts"]
    assert kept["when"] == "always"
    assert kept["paths"] == ["deploy-actions/"]
    assert kept["expose_as"]
    assert kept["access"] == "developer"
    assert kept["reports"]["dotenv"] == "deploy-actions/outputs.env"
    assert kept["reports"]["annotations"] == "deploy-actions/annotations.json"
    assert ("junit" in kept["reports"]) == (verb.name == "lint-test")


@ALL
def test_what_changes_something_is_neither_cut_off_nor_tried_again_by_itself(verb: Command) -> None:
    made = job(verb)
    assert made["interruptible"] == (verb.name in ("lint-test", "plan", "preflight", "drift"))
    assert made["retry"] == 0
    assert made["timeout"]


@pytest.mark.parametrize("verb", ["promote", "rollback", "restore", "take-down"])
def test_what_a_person_starts_asks_first(verb: str) -> None:
    made = job(TABLE[verb], environment="production")
    assert "production" in made["manual_confirmation"]
    assert made["rules"][-1]["when"] == "manual"


@pytest.mark.parametrize("verb", ["deploy", "promote", "migrate"])
@pytest.mark.parametrize("held", ["manual", "never"])
def test_a_deploy_freeze_holds_what_brings_something_new(verb: str, held: str) -> None:
    first, second = job(TABLE[verb], on_freeze=held, rules_if="$A || $B", when="always")["rules"]
    assert first == {"if": "$CI_DEPLOY_FREEZE && ($A || $B)", "when": held}
    assert second == {"if": "$A || $B", "when": "always"}


@pytest.mark.parametrize("verb", ["rollback", "post-verify", "finalize", "backup", "restore", "take-down"])
def test_a_deploy_freeze_does_not_hold_the_way_back(verb: str) -> None:
    assert "FREEZE" not in json.dumps(job(TABLE[verb]))


@ALL
def test_a_job_that_was_not_pressed_holds_the_pipeline_unless_it_is_one_that_few_press(verb: Command) -> None:
    waits = [rule.get("allow_failure", False) for rule in job(verb)["rules"]]
    assert waits[-1] == (verb.name in ("rollback", "restore", "take-down"))
    assert not any(waits[:-1])


def test_a_password_is_only_ever_the_name_of_a_variable() -> None:
    build = TABLE["build"]
    assert job(build, password="$TOKEN")["variables"]["DEPLOY_ACTIONS_PASSWORD"] == "$TOKEN"
    for bad in ("hunter2", "$TOKEN-x", "a $TOKEN", "$(cat x)"):
        with pytest.raises(Wrong):
            job(build, password=bad)


@pytest.mark.parametrize("bad", ["main", "v1.2.3.4", "0123456", "v1;x", "--upload-pack=x", "v1\nv2"])
def test_the_library_is_a_commit_or_a_release(bad: str) -> None:
    assert job(TABLE["deploy"], library_ref=SHA)["variables"]["DEPLOY_ACTIONS_LIBRARY_REF"] == SHA
    with pytest.raises(Wrong):
        job(TABLE["deploy"], library_ref=bad)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_of_a_release_fetches_that_release(path: Path) -> None:
    assert documents(path)[0]["spec"]["inputs"]["library-ref"]["default"] == f"v{VERSION}"


def test_there_is_a_component_for_each_template_and_fewer_than_gitlab_takes() -> None:
    assert [path.name for path in COMPONENTS] == [path.name for path in TEMPLATES]
    assert {path.stem for path in TEMPLATES} == {"pipeline", *(verb.name for verb in TEMPLATED)}
    assert len(COMPONENTS) <= 30
    assert [path.name for path in COMPONENTS if not re.fullmatch(r"[\w-]+\.yml", path.name)] == []


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.name)
def test_a_component_hands_every_input_on_and_pins_the_library_to_its_own_commit(path: Path) -> None:
    template = ROOT / FOLDER / path.name
    header, body = documents(path)
    declared = dict(documents(template)[0]["spec"]["inputs"])
    del declared["library-ref"]
    assert header["spec"]["inputs"] == declared
    (include,) = render(path, needed(path))["include"]
    assert include["local"] == f"/{FOLDER}/{path.name}"
    assert include["inputs"]["library-ref"] == SHA
    render(template, include["inputs"])
    assert set(body["include"][0]["inputs"]) == {*declared, "library-ref"}


def test_a_template_of_a_verb_includes_nothing_and_so_can_be_included_from_anywhere() -> None:
    assert [path.name for path in TEMPLATES if "include" in documents(path)[1]] == ["pipeline.yml"]
