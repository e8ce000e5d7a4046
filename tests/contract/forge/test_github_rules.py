"""What GitHub says of branches, environments, checks and variables, held against its own OpenAPI document."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ci_lib.domain.forge import BranchRules, CheckState, CommitCheck, EnvironmentRules, ForgeFault
from ci_lib.forge.github import GitHub
from tests.contract.forge.contract import github
from tests.contract.forge.fake_github import FakeGitHub
from tests.contract.forge.github_pages import MISSING, user

Make = Callable[..., GitHub]

SHA = "a" * 40
HIDDEN = (403, {"message": "Resource not accessible by integration"})


def branch(hub: FakeGitHub, name: str = "main", *, older: bool = False, protected: bool = False) -> None:
    hub.world.branches[name] = github().made(
        "branch-with-protection", name=name, protection={"enabled": older}, protected=older or protected
    )


def rule(kind: str, ruleset: int = 3, **parameters: Any) -> dict[str, Any]:
    extra = {"parameters": parameters} if parameters else {}
    return {"type": kind, "ruleset_id": ruleset, "ruleset_source": "acme/shop", **extra}


def ruleset(hub: FakeGitHub, number: int = 3, **fields: Any) -> None:
    hub.world.rulesets[number] = github().made("repository-ruleset", id=number, **fields)


def requests(reviews: int, *, owners: bool) -> dict[str, Any]:
    return rule(
        "pull_request",
        required_approving_review_count=reviews,
        require_code_owner_review=owners,
        dismiss_stale_reviews_on_push=False,
        require_last_push_approval=False,
        required_review_thread_resolution=False,
    )


def checks(*names: str) -> dict[str, Any]:
    return rule(
        "required_status_checks",
        required_status_checks=[{"context": name} for name in names],
        strict_required_status_checks_policy=False,
    )


def older_protection(**fields: Any) -> dict[str, Any]:
    return {
        "required_status_checks": {"contexts": ["e2e"], "checks": [{"context": "e2e", "app_id": None}]},
        "enforce_admins": {"url": "https://api.github.com/x", "enabled": False},
        "allow_force_pushes": {"enabled": False},
        "required_pull_request_reviews": github().made(
            "protected-branch-pull-request-review",
            required_approving_review_count=2,
            require_code_owner_reviews=True,
            bypass_pull_request_allowances={"users": [user("zoe")], "teams": [], "apps": []},
        ),
        **fields,
    }


def test_a_branch_without_rules_is_unprotected_and_nobody_needs_an_administrators_token_for_that(
    hub: FakeGitHub, forge: Make
) -> None:
    branch(hub)
    assert forge().branch_rules("main") == BranchRules(protected=False, rewritable=True)
    assert not any(asked.path.endswith("/protection") for asked in hub.asked)


def test_the_rules_of_rulesets_are_taken_together(hub: FakeGitHub, forge: Make) -> None:
    branch(hub, protected=True)
    ruleset(hub, bypass_actors=[])
    hub.world.rules = [checks("unit", "lint"), requests(1, owners=True), rule("non_fast_forward")]
    assert forge().branch_rules("main") == BranchRules(
        protected=True, checks=("lint", "unit"), reviews=1, owners=True, rewritable=False
    )


def test_rulesets_and_the_older_protection_apply_together(hub: FakeGitHub, forge: Make) -> None:
    branch(hub, older=True)
    ruleset(hub, bypass_actors=[{"actor_id": 1, "actor_type": "Team", "bypass_mode": "always"}])
    hub.world.rules = [checks("unit"), requests(1, owners=False)]
    hub.world.protection["main"] = (200, older_protection())
    assert forge().branch_rules("main") == BranchRules(
        protected=True,
        checks=("e2e", "unit"),
        reviews=2,
        owners=True,
        rewritable=False,
        bypass="ruleset 3: Team; branch protection: administrators, zoe",
    )


@pytest.mark.parametrize("answer", [MISSING, HIDDEN])
def test_what_the_token_may_not_see_is_a_fault_and_no_pass(
    hub: FakeGitHub, forge: Make, answer: tuple[int, Any]
) -> None:
    branch(hub, older=True)
    hub.world.protection["main"] = answer
    with pytest.raises(ForgeFault) as caught:
        forge().branch_rules("main")
    assert "administration: read" in caught.value.hint


def test_a_branch_of_which_it_is_not_said_whether_it_is_protected_is_asked_for_it(
    hub: FakeGitHub, forge: Make
) -> None:
    branch(hub)
    hub.world.branches["main"]["protection"] = {}
    hub.world.protection["main"] = (404, {"message": "Branch not protected"})
    assert not forge().branch_rules("main").protected
    hub.world.protection["main"] = MISSING
    with pytest.raises(ForgeFault, match="the branch protection of main"):
        forge().branch_rules("main")


def test_whom_a_ruleset_exempts_is_said_to_be_unknown_where_it_is_not_shown(
    hub: FakeGitHub, forge: Make
) -> None:
    branch(hub, protected=True)
    ruleset(hub)
    hub.world.rules = [rule("non_fast_forward"), rule("deletion", ruleset=4)]
    assert forge().branch_rules("main").bypass == (
        "whom ruleset 3 exempts is shown to those alone who may change it; "
        "whom ruleset 4 exempts is shown to those alone who may change it"
    )


def test_a_branch_may_have_any_name(hub: FakeGitHub, forge: Make) -> None:
    branch(hub, "release/1.x")
    assert not forge().branch_rules("release/1.x").protected
    with pytest.raises(ForgeFault, match="cannot be had"):
        forge().branch_rules("../../../user")


def environment(hub: FakeGitHub, name: str = "production", *, policy: Any = None, **fields: Any) -> None:
    fields = {"protection_rules": [], "can_admins_bypass": False, **fields}
    hub.world.environments[name] = github().made(
        "environment", name=name, deployment_branch_policy=policy, **fields
    )


def reviewers(*people: dict[str, Any], self_review: bool = False) -> dict[str, Any]:
    return {
        "id": 1,
        "node_id": "x",
        "type": "required_reviewers",
        "prevent_self_review": not self_review,
        "reviewers": [
            {"type": "Team" if "slug" in person else "User", "reviewer": person} for person in people
        ],
    }


def test_an_environment_says_who_must_approve(hub: FakeGitHub, forge: Make) -> None:
    ops = github().made("team", slug="ops")
    environment(hub, protection_rules=[reviewers(user("ann"), ops), {"id": 2, "node_id": "x", "type": "x"}])
    assert forge().environment_rules("production") == EnvironmentRules(
        reviewers=("@acme/ops", "@ann"), approvals=1, self_review=False
    )


def test_an_environment_without_reviewers_lets_everybody_in(hub: FakeGitHub, forge: Make) -> None:
    environment(hub)
    assert forge().environment_rules("production") == EnvironmentRules()


def test_an_environment_names_the_branches_that_may_deploy(hub: FakeGitHub, forge: Make) -> None:
    environment(hub, policy={"protected_branches": False, "custom_branch_policies": True})
    hub.world.policies = [{"name": "main", "type": "branch"}, {"name": "v*", "type": "tag"}]
    rules = forge().environment_rules("production")
    assert rules is not None
    assert rules.branches == ("main", "refs/tags/v*")
    hub.world.policies = []
    with pytest.raises(ForgeFault, match="lets no branch deploy"):
        forge().environment_rules("production")


@pytest.mark.parametrize("pattern", ["*", "**", "**/*", "*/*", "?*"])
def test_a_pattern_of_wildcards_alone_is_every_branch(hub: FakeGitHub, forge: Make, pattern: str) -> None:
    environment(hub, policy={"protected_branches": False, "custom_branch_policies": True})
    hub.world.policies = [{"name": "main", "type": "branch"}, {"name": pattern, "type": "branch"}]
    assert forge().environment_rules("production") == EnvironmentRules()
    hub.world.policies[1]["name"] = f"release/{pattern}"
    rules = forge().environment_rules("production")
    assert rules is not None
    assert rules.branches == ("main", f"release/{pattern}")


def test_administrators_pass_an_environment_by_unless_it_says_that_they_do_not(
    hub: FakeGitHub, forge: Make
) -> None:
    environment(hub, can_admins_bypass=True)
    assert forge().environment_rules("production") == EnvironmentRules(bypass="administrators")
    del hub.world.environments["production"]["can_admins_bypass"]
    assert forge().environment_rules("production") == EnvironmentRules(bypass="administrators")


def test_an_environment_for_protected_branches_names_them(hub: FakeGitHub, forge: Make) -> None:
    environment(hub, policy={"protected_branches": True, "custom_branch_policies": False})
    branch(hub, "main", protected=True)
    branch(hub, "topic")
    rules = forge().environment_rules("production")
    assert rules is not None
    assert rules.branches == ("main",)


def test_an_environment_that_is_not_in_the_list_does_not_exist(hub: FakeGitHub, forge: Make) -> None:
    environment(hub, "staging")
    assert forge().environment_rules("production") is None


def test_an_environment_of_a_list_that_is_not_shown_may_exist(hub: FakeGitHub, forge: Make) -> None:
    def hidden(asked: Any, answer: Any) -> Any:
        return replace(answer, status=404) if asked.path.endswith("/environments") else answer

    hub.broken = hidden
    with pytest.raises(ForgeFault) as caught:
        forge().environment_rules("production")
    assert "permissions: actions: read" in caught.value.hint


def run(
    name: str, number: int, app: str, status: str, conclusion: str | None, suite: int | None = 7
) -> dict[str, Any]:
    by = github().made("integration", slug=app)
    of = None if suite is None else {"id": suite}
    fields = {"id": number, "status": status, "conclusion": conclusion, "app": by, "check_suite": of}
    return github().made("check-run", name=name, **fields, html_url=f"https://github.com/{number}")


def status(context: str, number: int, state: str) -> dict[str, Any]:
    return github().made(
        "status", context=context, id=number, state=state, target_url=f"https://ci.example/{number}"
    )


def test_the_newest_of_each_check_and_app_counts_on_all_pages(hub: FakeGitHub, forge: Make) -> None:
    hub.page = 1
    hub.world.checks = [
        run("unit", 3, "github-actions", "completed", "success"),
        run("unit", 1, "github-actions", "completed", "failure"),
        run("unit", 2, "other-app", "in_progress", None),
        run("docs", 4, "github-actions", "completed", "skipped"),
    ]
    hub.world.statuses = [status("lab", 9, "error"), status("lab", 8, "success")]
    assert forge().commit_checks(SHA) == (
        CommitCheck(name="docs", state=CheckState.SKIPPED, url="https://github.com/4"),
        CommitCheck(name="lab", state=CheckState.FAILED, url="https://ci.example/9"),
        CommitCheck(name="unit", state=CheckState.RUNNING, url="https://github.com/2"),
        CommitCheck(name="unit", state=CheckState.PASSED, url="https://github.com/3"),
    )


@pytest.mark.parametrize(
    ("suites", "states"),
    [
        ((1, 1), [CheckState.PASSED]),
        ((1, 2), [CheckState.FAILED, CheckState.PASSED]),
        ((None, None), [CheckState.FAILED, CheckState.PASSED]),
    ],
)
def test_a_check_that_failed_is_made_good_only_by_running_the_very_same_again(
    hub: FakeGitHub, forge: Make, suites: tuple[int | None, int | None], states: list[CheckState]
) -> None:
    hub.world.checks = [
        run("Gate", 2, "github-actions", "completed", "success", suites[1]),
        run("Gate", 1, "github-actions", "completed", "failure", suites[0]),
    ]
    assert [found.state for found in forge().commit_checks(SHA)] == states


def test_a_commit_that_nothing_checked_has_no_checks(forge: Make) -> None:
    assert forge().commit_checks(SHA) == ()


def test_a_conclusion_that_nobody_knows_is_no_pass(hub: FakeGitHub, forge: Make) -> None:
    hub.world.checks = [run("unit", 3, "github-actions", "completed", "success")]
    hub.broken = lambda _, answer: replace(answer, body=answer.body.replace(b'"success"', b'"fine"'))
    with pytest.raises(ForgeFault, match="none that its documentation knows"):
        forge().commit_checks(SHA)


def test_more_entries_than_anybody_reads_are_a_fault(
    hub: FakeGitHub, forge: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_lib.forge.github_json.MOST", 3)
    hub.page = 1
    hub.world.statuses = [status(f"lab {number}", number, "success") for number in range(4)]
    with pytest.raises(ForgeFault, match="more than 3 entries"):
        forge().commit_checks(SHA)


def test_names_of_variables_and_secrets_come_from_everywhere_without_values(
    hub: FakeGitHub, forge: Make
) -> None:
    environment(hub, "prod/eu")
    hub.page = 1
    hub.world.names = {
        "variables": ["A", "B"],
        "secrets": ["C"],
        "prod%2Feu/variables": ["D"],
        "prod%2Feu/secrets": ["E"],
        "organization-variables": ["F"],
        "organization-secrets": ["G"],
    }
    hub.world.names |= {key.replace("%2F", "/"): value for key, value in hub.world.names.items()}
    assert forge().variable_names("prod/eu") == frozenset("ABCDEFG")


def test_a_persons_repository_has_no_variables_of_an_organisation(hub: FakeGitHub, forge: Make) -> None:
    hub.world.owner = "User"
    hub.world.names = {"variables": ["A"], "organization-variables": ["F"]}
    environment(hub)
    assert forge().variable_names("production") == {"A"}
