"""What protects branches and environments, what checked a commit, which variables there are."""

from dataclasses import replace
from typing import Any

import pytest

from ci_lib.domain.forge import BranchRules, CheckState, CommitCheck, EnvironmentRules, ForgeFault
from ci_lib.forge.gitlab_rules import fits
from tests.contract.forge.fake_gitlab import FakeGitLab
from tests.contract.forge.gitlab_jobs import RUN, adapter, check_fault


def level(access: int | None, words: str, **fields: Any) -> dict[str, Any]:
    named = {"access_level": access, "access_level_description": words, "user_id": None, "group_id": None}
    return {**named, **fields}


NO_ONE, MAINTAINERS = level(0, "No one"), level(40, "Maintainers")
DEVELOPERS = level(30, "Developers + Maintainers")


def branch(lab: FakeGitLab, name: str, **fields: Any) -> None:
    made = {"push_access_levels": [NO_ONE], "merge_access_levels": [MAINTAINERS], "allow_force_push": False}
    lab.world.protected_branches.append({"name": name, **made, **fields})


def test_a_branch_of_which_no_rule_speaks_is_not_protected() -> None:
    lab = FakeGitLab()
    branch(lab, "release/*")
    assert adapter(lab).branch_rules("main") == BranchRules(protected=False, rewritable=True)


def test_the_rules_that_fit_are_taken_together() -> None:
    lab = FakeGitLab()
    branch(lab, "m*n", code_owner_approval_required=True)
    branch(lab, "main", push_access_levels=[MAINTAINERS, level(None, "Ann", user_id=51)])
    branch(lab, "mai", allow_force_push=True)
    lab.world.approval_rules = [
        {"name": "all", "approvals_required": 1, "protected_branches": []},
        {"name": "ours", "approvals_required": 2, "protected_branches": [{"name": "ma*"}]},
        {"name": "others", "approvals_required": 5, "protected_branches": [{"name": "release/*"}]},
    ]
    assert adapter(lab).branch_rules("main") == BranchRules(
        protected=True,
        checks=("pipeline",),
        reviews=2,
        owners=True,
        rewritable=False,
        bypass="may push without a merge request: Ann, Maintainers",
    )


@pytest.mark.parametrize(
    ("pushers", "is_open"),
    [
        ([NO_ONE], False),
        ([MAINTAINERS], False),
        ([level(60, "Admins")], False),
        ([level(30, "Ann", user_id=51), level(30, "ops", group_id=134)], False),
        ([level(None, "Deploy key")], False),
        ([NO_ONE, MAINTAINERS, DEVELOPERS], True),
    ],
)
def test_a_branch_is_open_where_a_role_below_maintainer_may_push(
    pushers: list[dict[str, Any]], is_open: bool
) -> None:
    lab = FakeGitLab()
    branch(lab, "main")
    branch(lab, "ma*", push_access_levels=pushers)
    assert adapter(lab).branch_rules("main").open_to_push is is_open


def test_what_weakens_a_rule_is_said() -> None:
    lab = FakeGitLab()
    branch(lab, "main")
    branch(lab, "ma*", allow_force_push=True)
    lab.world.project["allow_merge_on_skipped_pipeline"] = True
    rules = adapter(lab).branch_rules("main")
    assert (rules.rewritable, rules.bypass) == (True, "a pipeline that was skipped is enough")
    lab.world.project["only_allow_merge_if_pipeline_succeeds"] = False
    assert adapter(lab).branch_rules("main").checks == ()


@pytest.mark.parametrize(("said", "found"), [(True, True), (None, True), (False, False)])
def test_whether_authors_approve_their_own_changes_is_asked(said: bool | None, found: bool) -> None:
    lab = FakeGitLab()
    branch(lab, "main")
    lab.world.approval_rules = [{"name": "all", "approvals_required": 1, "protected_branches": []}]
    lab.world.approvals["merge_requests_author_approval"] = said
    assert adapter(lab).branch_rules("main").self_review is found


def test_without_premium_no_approvals_are_asked_for() -> None:
    lab = FakeGitLab()
    lab.world.premium = False
    branch(lab, "main")
    assert adapter(lab).branch_rules("main").reviews == 0


def test_a_wildcard_stands_for_any_text_and_nothing_else_does() -> None:
    assert fits("*", "a/b")
    assert fits("release/*", "release/1/2")
    assert not fits("release/*", "release")
    assert not fits("mai.", "main")
    assert not fits("main", "main2")


def environment(lab: FakeGitLab, **fields: Any) -> None:
    lab.world.environment("production")
    made = {"name": "production", "deploy_access_levels": [MAINTAINERS], "required_approval_count": 0}
    lab.world.protected_environments.append(made | fields)


def test_who_may_deploy_and_who_has_to_approve() -> None:
    lab = FakeGitLab()
    environment(
        lab,
        approval_rules=[
            level(None, "ops", group_id=134, required_approvals=2),
            level(None, "Ann", user_id=51, required_approvals=1),
        ],
    )
    lab.world.project["allow_pipeline_trigger_approve_deployment"] = False
    assert adapter(lab).environment_rules("production") == EnvironmentRules(
        reviewers=("@acme/ops", "@ann"), approvals=2, self_review=False, deployers=("Maintainers",)
    )


def test_the_older_kind_of_approvals_is_by_those_who_may_deploy() -> None:
    lab = FakeGitLab()
    environment(lab, required_approval_count=1)
    assert adapter(lab).environment_rules("production") == EnvironmentRules(
        reviewers=("Maintainers",), approvals=1, self_review=True, deployers=("Maintainers",)
    )


def test_an_environment_without_protection_and_one_that_is_none() -> None:
    lab = FakeGitLab()
    environment(lab)
    lab.world.environment("staging")
    assert adapter(lab).environment_rules("staging") == EnvironmentRules()
    assert adapter(lab).environment_rules("elsewhere") is None


@pytest.mark.parametrize("weak", ["role", "premium", "token", "hidden group"])
def test_protection_that_cannot_be_seen_is_not_taken_for_none(weak: str) -> None:
    lab = FakeGitLab()
    environment(lab, deploy_access_levels=[level(None, "ops", group_id=134)])
    if weak == "hidden group":
        lab.world.groups.clear()
    lab.world.own_role = 30 if weak == "role" else 40
    lab.world.premium = weak != "premium"
    with pytest.raises(ForgeFault, match="the protection of production cannot be had") as caught:
        adapter(lab, own="" if weak == "token" else "glpat-SecretOfThePerson0123456789").environment_rules(
            "production"
        )
    assert "GITLAB_TOKEN" in caught.value.hint
    assert "Premium" in caught.value.hint
    check_fault(caught.value)


def status(lab: FakeGitLab, number: int, name: str, state: str, **fields: Any) -> None:
    made = {"id": number, "name": name, "status": state, "allow_failure": False, "target_url": None}
    made["pipeline_id"] = 6
    lab.world.statuses.append(made | fields)


def test_of_each_name_the_newest_state_counts_and_our_own_job_does_not() -> None:
    lab = FakeGitLab()
    status(lab, 5, "test", "success", target_url="https://gitlab.example/5")
    status(lab, 3, "test", "failed")
    status(lab, 6, "lint", "failed", allow_failure=True)
    status(lab, 7, "audit", "canceled")
    status(lab, 8, "scan", "running")
    status(lab, 9, "press", "manual")
    status(lab, 10, "maybe", "manual", allow_failure=True)
    status(lab, 70, "deploy", "running")
    assert adapter(lab).commit_checks("a" * 40) == (
        CommitCheck(name="audit", state=CheckState.FAILED),
        CommitCheck(name="lint", state=CheckState.SKIPPED),
        CommitCheck(name="maybe", state=CheckState.SKIPPED),
        CommitCheck(name="press", state=CheckState.RUNNING),
        CommitCheck(name="scan", state=CheckState.RUNNING),
        CommitCheck(name="test", state=CheckState.PASSED, url="https://gitlab.example/5"),
    )


def test_a_check_that_failed_is_not_made_good_by_another_pipeline() -> None:
    lab = FakeGitLab()
    status(lab, 3, "Gate", "failed", pipeline_id=5)
    status(lab, 9, "Gate", "success", pipeline_id=8, target_url="https://ci.example/typed")
    status(lab, 4, "test", "failed", pipeline_id=5)
    status(lab, 5, "test", "success", pipeline_id=5)
    assert [(found.name, found.state) for found in adapter(lab).commit_checks("a" * 40)] == [
        ("Gate", CheckState.FAILED),
        ("Gate", CheckState.PASSED),
        ("test", CheckState.PASSED),
    ]


def test_where_gitlab_does_not_say_the_pipeline_each_check_counts() -> None:
    lab = FakeGitLab()
    for number, state in ((3, "failed"), (9, "success")):
        status(lab, number, "Gate", state)
        del lab.world.statuses[-1]["pipeline_id"]
    assert [found.state for found in adapter(lab).commit_checks("a" * 40)] == [
        CheckState.FAILED,
        CheckState.PASSED,
    ]


def test_all_pages_of_checks_count() -> None:
    lab = FakeGitLab(page=100)
    for number in range(100, 330):
        status(lab, number, f"job {number}", "success")
    assert len(adapter(lab).commit_checks("a" * 40)) == 230


def test_a_commit_that_nothing_checked_has_no_checks() -> None:
    assert adapter(FakeGitLab()).commit_checks("a" * 40) == ()


@pytest.mark.parametrize("sha", ["..", ".", ""])
def test_a_commit_that_would_lead_elsewhere_is_not_asked_for(sha: str) -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault):
        adapter(lab).commit_checks(sha)
    assert not lab.asked


def variable(key: str, scope: str = "*", *, protected: bool = False) -> dict[str, Any]:
    return {"key": key, "value": "s3cret-value", "environment_scope": scope, "protected": protected}


def test_variables_of_project_and_groups_by_the_environments_they_are_for() -> None:
    lab = FakeGitLab()
    lab.world.variables = [
        variable("ALL"),
        variable("HERE", "production"),
        variable("PART", "prod*"),
        variable("OTHER", "staging"),
        variable("SAFE", protected=True),
    ]
    lab.world.group_variables["acme"] = [variable("OF_TOP")]
    lab.world.group_variables["acme/web"] = [variable("OF_WEB", "review/*"), variable("OF_WEB_TOO")]
    found = {"ALL", "HERE", "PART", "OF_TOP", "OF_WEB_TOO"}
    assert adapter(lab).variable_names("production") == found | {"SAFE"}
    assert adapter(lab, replace(RUN, protected=False)).variable_names("production") == found


def test_a_persons_own_project_has_no_groups() -> None:
    lab = FakeGitLab()
    lab.world.variables = [variable("ALL")]
    lab.world.project["namespace"] = {"kind": "user", "full_path": "ann"}
    assert adapter(lab).variable_names("production") == {"ALL"}


def test_a_group_whose_variables_are_hidden_is_not_taken_for_one_without() -> None:
    lab = FakeGitLab()
    del lab.world.group_variables["acme"]
    with pytest.raises(ForgeFault, match="names of variables of production") as caught:
        adapter(lab).variable_names("production")
    assert "each group above" in caught.value.hint
