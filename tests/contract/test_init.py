"""``init`` writes pipelines with a project's names that the linters take, and nothing over what is there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ci_lib.cli.init_files import INCLUDED, github, gitlab, starter
from ci_lib.cli.init_names import Names, library_of, names_of
from ci_lib.cli.main import cli
from ci_lib.config.load import load
from ci_lib.domain.errors import ConfigFault, UsageFault
from ci_lib.domain.reasons import Exit
from ci_lib.version import VERSION
from tests.contract.gitlab_render import SHA, render, rendered
from tests.contract.test_workflows import ROOT, loaded, mappings, tool

CONFIG = """\
version: 1
records: {store: directory, host: ops, path: /srv/releases}
hosts:
  ops: {ssh: d@ops.example, known_hosts: known_hosts, key_env: OPS_KEY}
  web: {ssh: d@web.example, known_hosts: known_hosts, key_env: DEPLOY_WEB_KEY}
environments:
  qa: {tier: staging, owner: a, hosts: [web]}
  "on": {tier: production, owner: b, hosts: [web], requires: {environment: qa}}
stacks:
  shop:
    target: compose
    images: {api: {repository: registry.example/acme/api, services: [api], build: {context: api}}}
  other:
    target: compose
    images: {api: {repository: registry.example/acme/other, services: [api]}}
"""
TASKS = ("release", "backup", "restore-test", "drift")


def names(config: str = CONFIG, ref: str = SHA) -> Names:
    return names_of(load(config, name="deploy.yml"), stack="shop", library="acme/tools", ref=ref)


def test_jobs_are_given_what_deploy_yml_names_but_for_what_builds_take() -> None:
    signing = "hosts: [web], signing: {key_env: SIGN_KEY, verifier: 'https://ci.example/qa'}}"
    build = "build: {context: api, args_env: [BUILD_ARG]}"
    config = CONFIG.replace("hosts: [web]}", signing, 1).replace("build: {context: api}", build)
    assert set(names(config).secrets) == {"OPS_KEY", "DEPLOY_WEB_KEY", "SIGN_KEY"}


def init(folder: Path, forge: str, *words: str) -> Result:
    given = ["init", "--ci", forge, "--library", "acme/tools", "--config", str(folder / "deploy.yml"), *words]
    return CliRunner().invoke(cli, given)


def held(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def jobs(files: dict[str, str], task: str, **given: object) -> dict[str, Any]:
    """The jobs of a whole pipeline for a task, and the stages they are in."""
    root = rendered(files[".gitlab-ci.yml"], {"deploy-task": task, **given})
    (include,) = root["include"]
    assert include["local"] == f"/{INCLUDED}"
    made: dict[str, Any] = {}
    body = rendered(files[INCLUDED], include["inputs"])
    for each in body["include"]:
        if all(_holds(rule["if"]) for rule in each["rules"]):
            made |= _made(each)
    assert {job["stage"] for job in made.values()} <= set(body["stages"])
    for name, job in made.items():
        for need in job["needs"]:
            assert need["job"] in made or need.get("optional"), name
            first = made.get(need["job"], job)["stage"]
            assert body["stages"].index(first) <= body["stages"].index(job["stage"]), name
    return made


def _made(include: dict[str, Any]) -> dict[str, Any]:
    path = ROOT / str(include.get("file", include.get("local"))).lstrip("/")
    body = render(path, include["inputs"])
    if "include" not in body:
        return body
    inner = [each for each in body["include"] if all(_holds(rule["if"]) for rule in each.get("rules", ()))]
    return {name: job for each in inner for name, job in _made(each).items()}


def _holds(condition: str) -> bool:
    sides = [part.split(" == ") if " == " in part else part.split(" != ") for part in condition.split(" && ")]
    return all((left == right) == ("!=" not in condition) for left, right in sides)


@pytest.mark.parametrize("config", [CONFIG, starter().replace("  app:\n    target", "  shop:\n    target")])
@pytest.mark.parametrize("ref", [SHA, "v1"])
def test_workflows_with_a_projects_names_are_taken_by_the_linters(
    config: str, ref: str, tmp_path: Path
) -> None:
    files = github(names(config, ref))
    assert {Path(path).stem for path in files} == {
        *("ci", "cd", "rollback", "backup", "restore-test", "drift")
    }
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *folder.iterdir()) == ""
    assert tool("zizmor", "--offline", "--no-progress", *folder.iterdir()) == ""


def test_workflows_have_the_projects_environments_stack_secrets_and_library(tmp_path: Path) -> None:
    for path, text in github(names()).items():
        (tmp_path / "one.yml").write_text(text)
        workflow = loaded(tmp_path / "one.yml")
        used = [node for node in mappings(workflow) if str(node.get("uses")).startswith("acme/tools/")]
        assert used
        for step in used:
            assert step["uses"].endswith(f"@{SHA}")
            if "/lint-test@" not in step["uses"]:
                assert step["with"]["stack"] == "shop"
        for node in mappings(workflow):
            for key, value in node.items():
                if key == "environment" and isinstance(value, str):
                    assert value in ("qa", "on", "on-look", "${{ inputs.environment }}"), path
        for job in workflow["jobs"].values():
            if "env" in job:
                assert list(job["env"]) == ["DEPLOY_WEB_KEY", "OPS_KEY"]
    rollback = github(names())[".github/workflows/rollback.yml"]
    assert 'options: ["on", qa]' in rollback
    plan = github(names())[".github/workflows/ci.yml"]
    assert "DEPLOY_WEB_KEY: ${{ secrets.PLAN_WEB_KEY }}" in plan
    assert "OPS_KEY: ${{ secrets.PLAN_OPS_KEY }}" in plan


def test_a_project_without_secrets_has_none_in_its_workflows(tmp_path: Path) -> None:
    local = starter().replace("ssh: deploy@web1.example, known_hosts: ops/known_hosts", "local: true")
    local = local.replace(", key_env: DEPLOY_SSH_KEY", "").replace("  app:\n", "  shop:\n")
    for path, text in github(names(local)).items():
        (tmp_path / "one.yml").write_text(text)
        assert [job for job in loaded(tmp_path / "one.yml")["jobs"].values() if "env" in job] == [], path
    assert "variables:" not in gitlab(names(local))[".gitlab-ci.yml"]


def test_each_task_of_gitlab_has_its_jobs_and_no_others() -> None:
    files = dict(gitlab(names()))
    assert set(jobs(files, "backup")) == {"backup", "finalize"}
    assert set(jobs(files, "restore-test")) == {"restore-test"}
    assert set(jobs(files, "drift")) == {"drift"}
    release = jobs(files, "release")
    assert {"build", "deploy:qa", "promote:on", "rollback:on", "plan:merge-request"} <= set(release)
    assert "lint-test" not in release, "deploy.yml has no gate"
    for task in TASKS:
        for name, job in jobs(files, task).items():
            variables = job["variables"]
            assert variables["DEPLOY_ACTIONS_LIBRARY_PROJECT"] == "acme/tools"
            assert variables["DEPLOY_ACTIONS_LIBRARY_REF"] == SHA
            assert variables.get("DEPLOY_ACTIONS_STACK", "shop") == "shop", name


def test_a_rollback_on_gitlab_goes_to_the_version_that_the_pipeline_was_started_for() -> None:
    made = jobs(dict(gitlab(names())), "release", **{"rollback-to": "sha-1"})["rollback:on"]
    assert made["variables"]["DEPLOY_ACTIONS_VERSION"] == "sha-1"
    assert made["manual_confirmation"]
    assert jobs(dict(gitlab(names())), "release")["promote:on"]["rules"][-1]["when"] == "manual"


def test_a_merge_request_builds_and_plans_only_for_branches_of_the_project() -> None:
    made = jobs(dict(gitlab(names())), "release")
    for name in ("build:merge-request", "plan:merge-request"):
        (rule,) = made[name]["rules"]
        assert '$CI_PIPELINE_SOURCE == "merge_request_event"' in rule["if"]
        assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in rule["if"]
    assert made["plan:merge-request"]["environment"]["action"] == "access"


@pytest.mark.parametrize("task", TASKS)
def test_the_files_of_gitlab_keep_its_schema(task: str, tmp_path: Path) -> None:
    files = dict(gitlab(names()))
    root = rendered(files[".gitlab-ci.yml"], {"deploy-task": task})
    included = rendered(files[INCLUDED], root["include"][0]["inputs"])
    for name, body in (("root", root), ("included", included)):
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    paths = sorted(tmp_path.iterdir())
    assert tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *paths) == ""


def test_what_callers_copy_for_gitlab_names_the_release_that_it_is_of() -> None:
    text = (ROOT / "templates/.gitlab/deploy-actions.yml").read_text("utf-8")
    assert text.count(f"ref: v{VERSION}\n") == 2 * text.count("project: org/deploy-actions\n    ref")


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_a_project_with_nothing_gets_everything_and_a_second_call_changes_nothing(
    forge: str, tmp_path: Path
) -> None:
    first = init(tmp_path, forge)
    assert first.exit_code == Exit.OK, first.output
    assert "DEPLOY_SSH_KEY" in first.output
    before = held(tmp_path)
    assert load(before["deploy.yml"], name="deploy.yml")
    second = init(tmp_path, forge, "--json")
    assert held(tmp_path) == before
    told = json.loads(second.stdout)
    assert (told["written"], told["changed"], told["left"]) == ([], [], {})
    assert sorted(told["unchanged"]) == sorted(set(before) - {"deploy.yml"})


@pytest.mark.parametrize(
    ("forge", "told"),
    [("github", "secrets to store for qa, on, on-look: "), ("gitlab", "variables to store for qa, on: ")],
)
def test_it_says_for_which_environments_to_store_what(tmp_path: Path, forge: str, told: str) -> None:
    (tmp_path / "deploy.yml").write_text(CONFIG)
    text = init(tmp_path, forge, "--stack", "shop").output
    (line,) = [line for line in text.splitlines() if "to store for" in line]
    assert line.startswith(told)
    assert {"OPS_KEY", "DEPLOY_WEB_KEY"} == set(line.partition(": ")[2].split(", "))


def test_what_gitlab_gives_to_every_job_is_neither_stored_nor_taken_away_in_a_merge_request(
    tmp_path: Path,
) -> None:
    login = "{username_env: CI_REGISTRY_USER, password_env: CI_REGISTRY_PASSWORD}"
    registries = f"    registries: {{registry.example: {login}}}\n"
    (tmp_path / "deploy.yml").write_text(CONFIG.replace("  shop:\n", f"  shop:\n{registries}"))
    text = init(tmp_path, "gitlab", "--stack", "shop").output
    assert "variables to store for qa, on: DEPLOY_WEB_KEY, OPS_KEY\n" in text
    (asked, _) = rendered((tmp_path / ".gitlab-ci.yml").read_text(), {})["workflow"]["rules"]
    assert set(asked["variables"]) == {"OPS_KEY", "DEPLOY_WEB_KEY"}


def test_what_github_makes_for_every_job_is_not_stored_and_is_there_in_a_pull_request(tmp_path: Path) -> None:
    login = "{username_env: GITHUB_ACTOR, password_env: GITHUB_TOKEN}"
    registries = f"    registries: {{ghcr.io: {login}}}\n"
    (tmp_path / "deploy.yml").write_text(CONFIG.replace("  shop:\n", f"  shop:\n{registries}"))
    text = init(tmp_path, "github", "--stack", "shop").output
    assert "secrets to store for qa, on, on-look: DEPLOY_WEB_KEY, OPS_KEY\n" in text
    for name in ("ci.yml", "cd.yml"):
        written = (tmp_path / ".github/workflows" / name).read_text()
        assert "      GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}\n" in written
        assert "GITHUB_ACTOR" not in written


def test_a_workflow_that_is_there_is_left_and_the_difference_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    own = tmp_path / ".github/workflows/cd.yml"
    own.write_text("# mine\n")
    told = init(tmp_path, "github")
    assert told.exit_code == Exit.OK
    assert own.read_text() == "# mine\n"
    assert "left alone: .github/workflows/cd.yml" in told.output
    assert "-# mine\n" in told.output
    assert "+name: cd\n" in told.output


def test_a_pipeline_that_is_there_includes_ours_and_one_that_cannot_be_edited_is_left(tmp_path: Path) -> None:
    own = tmp_path / ".gitlab-ci.yml"
    own.write_text("# mine\nunit:\n  script: [make]\n")
    own.chmod(0o640)
    assert init(tmp_path, "gitlab").exit_code == Exit.OK
    assert "# mine" in own.read_text()
    assert own.stat().st_mode & 0o777 == 0o640
    before = held(tmp_path)
    assert init(tmp_path, "gitlab").exit_code == Exit.OK
    assert held(tmp_path) == before
    own.write_text("a: [\n")
    told = init(tmp_path, "gitlab")
    assert own.read_text() == "a: [\n"
    assert "left alone: .gitlab-ci.yml" in told.output
    assert "local: /.gitlab/deploy-actions.yml" in told.output


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_nothing_is_written_through_a_link(forge: str, tmp_path: Path) -> None:
    outside, project = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    project.mkdir()
    last = {"github": ".github/workflows/rollback.yml", "gitlab": ".gitlab/deploy-actions.yml"}[forge]
    for place, to in ((f".{forge}", outside), (last, outside / "x"), ("deploy.yml", outside / "x")):
        (project / place).parent.mkdir(parents=True, exist_ok=True)
        (project / place).symlink_to(to)
        told = init(project, forge)
        assert told.exit_code != Exit.OK
        assert f"{place} is a link" in told.output
        assert list(outside.iterdir()) == []
        (project / place).unlink()
        assert held(project) == {}, "all paths are looked at before the first is written"


def test_a_pipe_in_a_files_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitlab-ci.yml")
    assert init(tmp_path, "gitlab").exit_code != Exit.OK


@pytest.mark.parametrize(
    "bad", ["tools", "acme/tools@main", "acme/tools@", "../x", "acme/tools\nx: y", "acme/${{ x }}", ""]
)
def test_a_library_that_is_no_path_or_no_release_is_refused(bad: str) -> None:
    with pytest.raises(UsageFault):
        library_of(bad, "v1")


def test_a_deploy_yml_without_a_way_to_production_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deploy.yml").write_text(CONFIG.replace(", requires: {environment: qa}", ""))
    told = init(tmp_path, "github", "--stack", "shop")
    assert told.exit_code == Exit.USAGE
    assert list(held(tmp_path)) == ["deploy.yml"]
    with pytest.raises(ConfigFault):
        names(CONFIG.replace(", requires: {environment: qa}", ""))
