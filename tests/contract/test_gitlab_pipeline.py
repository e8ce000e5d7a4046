"""The pipeline of GitLab leads from the gate to production, and each of its jobs can be run again alone."""

from typing import Any

from tests.contract.gitlab_files import PIPELINE, ROOT
from tests.contract.gitlab_render import render

TRUE = ('"true" == "true"', '"" == ""', '"v1" != ""')
"""What `include:rules` come to when they let a template in."""


def jobs_of(**given: object) -> dict[str, dict[str, Any]]:
    """What `pipeline.yml` comes to, as far as `include:rules` let it in."""
    named = {name.replace("_", "-"): value for name, value in given.items()}
    made: dict[str, dict[str, Any]] = {}
    for include in render(ROOT / PIPELINE, named)["include"]:
        if all(rule["if"] in TRUE for rule in include.get("rules", [])):
            made |= render(ROOT / include["local"].lstrip("/"), include["inputs"])
    return made


def test_the_pipeline_leads_through_staging_to_production_which_waits_for_a_person() -> None:
    jobs = jobs_of(migrate=True)
    assert list(jobs)[:7] == [
        *("lint-test", "build", "migrate:staging", "deploy:staging", "post-verify:staging"),
        *("promote:production", "post-verify:production"),
    ]
    assert jobs["promote:production"]["rules"][-1]["when"] == "manual"
    assert jobs["deploy:staging"]["rules"][-1]["when"] == "on_success"
    assert jobs["promote:production"]["needs"][0]["job"] == "post-verify:staging"
    stages = render(ROOT / PIPELINE, {})["stages"]
    assert {job["stage"] for job in jobs.values()} <= set(stages)
    order = {name: stages.index(job["stage"]) for name, job in jobs.items()}
    for name, made in jobs.items():
        for need in made["needs"]:
            assert need["optional"] if need["job"] == "lint-test" else need["job"] in jobs
            assert order[need["job"]] < order[name]


def test_staging_can_wait_for_a_person_too() -> None:
    jobs = jobs_of(staging_when="manual", migrate=True)
    assert {jobs[name]["rules"][-1]["when"] for name in ("deploy:staging", "migrate:staging")} == {"manual"}


def test_what_changes_an_environment_waits_for_whoever_holds_its_lock() -> None:
    jobs = jobs_of(migrate=True)
    for verb in ("migrate", "deploy", "promote", "rollback"):
        for name in (name for name in jobs if name.startswith(f"{verb}:")):
            assert jobs[name]["variables"]["DEPLOY_ACTIONS_LOCK_WAIT"] == 900, name


def test_what_is_left_out_of_the_pipeline_is_waited_for_by_nobody() -> None:
    jobs = jobs_of(lint_test=False, build=False, version="1.2.3")
    assert not {"lint-test", "build", "migrate:staging"} & jobs.keys()
    for made in jobs.values():
        assert all(need["job"] in jobs or need.get("optional") for need in made["needs"])
        assert made["variables"].get("DEPLOY_ACTIONS_VERSION", "1.2.3") in ("1.2.3", "")


def test_no_job_of_the_pipeline_hangs_on_artifacts_of_another() -> None:
    """So each can be run again by itself, which is how GitLab rolls back, when they have expired."""
    for made in jobs_of(migrate=True).values():
        assert [need for need in made["needs"] if need.get("artifacts") is not False] == []


def test_a_rollback_goes_to_the_last_good_release_or_to_the_version_that_was_named() -> None:
    for environment in ("staging", "production"):
        given = jobs_of()[f"rollback:{environment}"]["variables"]
        assert (given["DEPLOY_ACTIONS_LAST_GOOD"], given["DEPLOY_ACTIONS_VERSION"]) == ("true ", "")
        given = jobs_of(rollback_to="v1")[f"rollback:{environment}"]["variables"]
        assert (given["DEPLOY_ACTIONS_LAST_GOOD"], given["DEPLOY_ACTIONS_VERSION"]) == ("false ", "v1")


def test_the_pipeline_clears_up_and_goes_back_in_both_environments() -> None:
    jobs = jobs_of()
    brought = {"staging": "deploy", "production": "promote"}
    for environment in brought:
        last = jobs[f"finalize:{environment}"]
        assert last["rules"][-1]["when"] == "on_failure"
        # GitLab skips what needs a job that was skipped, and a failed deploy has its verification skipped.
        assert [need["job"] for need in last["needs"]] == [f"{brought[environment]}:{environment}"]
        assert jobs[f"rollback:{environment}"]["rules"][-1] == {
            "if": jobs["deploy:staging"]["rules"][-1]["if"],
            "when": "manual",
            "allow_failure": True,
        }
        verified = jobs[f"post-verify:{environment}"]["variables"]
        assert verified["DEPLOY_ACTIONS_ROLLBACK_ON_FAILURE"] == "true "
