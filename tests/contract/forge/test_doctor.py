"""What `doctor` makes of a GitHub and a GitLab: every exchange is held against their contracts."""

from collections.abc import Callable
from typing import Any

import pytest

from ci_lib.doctor.forge import Gate, Place, forge_rows
from ci_lib.domain.doctor import Row, Standing, verdict
from ci_lib.domain.forge import Forge
from ci_lib.domain.reasons import Exit
from ci_lib.forge.github import GitHub
from ci_lib.ports.protocols import TimedOut
from tests.contract.forge.contract import github
from tests.contract.forge.fake_github import FakeGitHub
from tests.contract.forge.fake_github import Fault as HubFault
from tests.contract.forge.fake_gitlab import FakeGitLab
from tests.contract.forge.github_pages import MISSING as NOT_SHOWN
from tests.contract.forge.github_pages import user
from tests.contract.forge.gitlab_jobs import adapter
from tests.contract.forge.test_github_rules import (
    branch,
    checks,
    environment,
    older_protection,
    requests,
    reviewers,
    rule,
    ruleset,
)
from tests.contract.forge.test_gitlab_rules import DEVELOPERS, MAINTAINERS, NO_ONE, level, variable

Make = Callable[..., GitHub]
OK, WEAK, MISSING, UNKNOWN = Standing.OK, Standing.WEAK, Standing.MISSING, Standing.UNKNOWN
PLACES = [
    Place(name="staging", guarded=False, names={"KEY": ("hosts.web1.key_env",)}),
    Place(name="production", guarded=True, names={"KEY": ("hosts.web1.key_env",)}),
]


def asked(forge: Forge, gate: str) -> list[Row]:
    return list(forge_rows(forge, "main", Gate(check=gate, told=True), PLACES, lambda _: False))


def standings(rows: list[Row]) -> dict[str, Standing]:
    return {row.name: row.seen.standing for row in rows}


ALL_GOOD = {
    "branch main": OK,
    "environment staging: KEY": OK,
    "environment production: approval": OK,
    "environment production: KEY": OK,
}


def good_hub(hub: FakeGitHub) -> None:
    """Whatever `doctor` wants of a GitHub is there."""
    branch(hub, protected=True)
    ruleset(hub, bypass_actors=[])
    hub.world.rules = [checks("Gate", "docs"), requests(1, owners=False), rule("non_fast_forward")]
    policy = {"protected_branches": True, "custom_branch_policies": False}
    environment(hub, "staging")
    ops = github().made("team", slug="ops")
    environment(hub, policy=policy, protection_rules=[reviewers(ops)])
    hub.world.names = {"secrets": ["KEY"]}


def test_a_github_with_all_that_is_wanted_passes_and_nothing_is_written_there(
    hub: FakeGitHub, forge: Make
) -> None:
    good_hub(hub)
    rows = asked(forge(), "Gate")
    assert standings(rows) == ALL_GOOD, rows
    assert verdict(rows) is Exit.OK
    assert [one.method for one in hub.asked if one.method != "GET"] == []


def test_a_github_that_lacks_all_of_it_says_so_row_by_row(hub: FakeGitHub, forge: Make) -> None:
    branch(hub)
    environment(hub, "staging")
    hub.world.names = {}
    rows = asked(forge(), "Gate")
    assert verdict(rows) is Exit.CHECK_FAILED
    assert {row.seen.standing for row in rows} == {MISSING}
    assert [row.seen.value for row in rows] == [
        "not protected",
        "neither set here nor stored in the forge",
        "the forge does not know it",
        "neither set here nor stored in the forge",
    ]


def test_the_gate_is_looked_for_by_its_name_in_every_kind_of_protection(hub: FakeGitHub, forge: Make) -> None:
    good_hub(hub)
    branch(hub, older=True)
    hub.world.protection["main"] = (200, older_protection(enforce_admins={"url": "x", "enabled": True}))
    assert standings(asked(forge(), "e2e"))["branch main"] is WEAK, "somebody may pass it by"
    row = asked(forge(), "gate")[0]
    assert (row.seen.standing, row.seen.value) == (MISSING, "does not demand gate; demands Gate, docs, e2e")


def test_what_a_jobs_token_may_not_see_is_unknown_with_the_permission_that_is_wanted(
    hub: FakeGitHub, forge: Make
) -> None:
    good_hub(hub)
    branch(hub, older=True)
    hub.world.protection["main"] = NOT_SHOWN
    row = asked(forge(), "Gate")[0]
    assert row.seen.standing is UNKNOWN
    assert "administration: read" in row.seen.hint


def test_a_branch_that_is_not_there_is_unknown(hub: FakeGitHub, forge: Make) -> None:
    good_hub(hub)
    hub.world.branches.clear()
    row = asked(forge(), "Gate")[0]
    assert row.seen.standing is UNKNOWN
    assert row.seen.hint.startswith("does it exist")


def test_a_github_that_does_not_answer_for_a_while_hides_no_other_row(hub: FakeGitHub, forge: Make) -> None:
    good_hub(hub)
    for number in range(6):  # as often as the first question is asked
        hub.faults[number] = HubFault(name="silent", answer=TimedOut("api.github.com did not answer"))
    rows = asked(forge(), "Gate")
    assert standings(rows) == ALL_GOOD | {"branch main": UNKNOWN}
    assert "did not answer" in rows[0].seen.value
    assert verdict(rows) is Exit.CANNOT_DECIDE


def test_who_starts_a_run_and_may_approve_it_is_a_weakness(hub: FakeGitHub, forge: Make) -> None:
    good_hub(hub)
    environment(hub, protection_rules=[reviewers(user("ann"), self_review=True)])
    row = asked(forge(), "Gate")[2]
    assert row.seen.standing is WEAK
    assert row.seen.value == "who starts a run may approve it; every branch may deploy; 1 of @ann"


@pytest.mark.parametrize("pattern", ["*", "**"])
def test_a_github_whose_approval_does_not_hold_is_weak(hub: FakeGitHub, forge: Make, pattern: str) -> None:
    good_hub(hub)
    hub.world.policies = [{"name": pattern, "type": "branch"}]
    policy = {"protected_branches": False, "custom_branch_policies": True}
    reviewed = [reviewers(user("ann"))]
    environment(hub, policy=policy, protection_rules=reviewed, can_admins_bypass=True)
    row = asked(forge(), "Gate")[2]
    assert row.seen.standing is WEAK
    assert row.seen.value == "every branch may deploy; not for everybody: administrators; 1 of @ann"


def good_lab() -> FakeGitLab:
    """Whatever `doctor` wants of a GitLab is there."""
    lab = FakeGitLab()
    levels: dict[str, Any] = {"push_access_levels": [NO_ONE], "merge_access_levels": [MAINTAINERS]}
    lab.world.protected_branches = [{"name": "main", "allow_force_push": False, **levels}]
    lab.world.approval_rules = [{"name": "all", "approvals_required": 1, "protected_branches": []}]
    lab.world.environment("staging")
    lab.world.environment("production")
    ops = level(None, "ops", group_id=134, required_approvals=1)
    lab.world.protected_environments = [
        {
            "name": "production",
            "deploy_access_levels": [MAINTAINERS],
            "required_approval_count": 0,
            "approval_rules": [ops],
        }
    ]
    lab.world.project["allow_pipeline_trigger_approve_deployment"] = False
    lab.world.variables = [variable("KEY")]
    return lab


def test_a_gitlab_with_all_that_is_wanted_passes() -> None:
    lab = good_lab()
    rows = asked(adapter(lab), "pipeline")
    assert standings(rows) == ALL_GOOD, rows
    assert rows[2].seen.value == "1 of @acme/ops; may start it: Maintainers"
    assert [one.method for one in lab.asked if one.method != "GET"] == []


def test_a_gitlab_whose_authors_approve_their_own_changes_is_weak() -> None:
    lab = good_lab()
    lab.world.approvals["merge_requests_author_approval"] = True
    row = asked(adapter(lab), "pipeline")[0]
    assert row.seen.standing is WEAK
    assert row.seen.value == "who wrote a change may approve it; demands pipeline"


def test_what_a_gitlab_lacks_is_named() -> None:
    lab = good_lab()
    lab.world.project["only_allow_merge_if_pipeline_succeeds"] = False
    lab.world.protected_environments[0]["approval_rules"] = []
    lab.world.variables = [variable("KEY", "staging")]
    rows = asked(adapter(lab), "pipeline")
    assert standings(rows) == {
        "branch main": MISSING,
        "environment staging: KEY": OK,
        "environment production: approval": WEAK,
        "environment production: KEY": MISSING,
    }
    assert rows[2].seen.value == "nobody has to approve; may start it: Maintainers"


def test_a_gitlab_whose_developers_push_past_the_gate_lacks_it() -> None:
    lab = good_lab()
    main = lab.world.protected_branches[0]
    main["push_access_levels"] = [MAINTAINERS]
    assert asked(adapter(lab), "pipeline")[0].seen.standing is WEAK, "they may change the rule too"
    main["push_access_levels"] = [DEVELOPERS]
    rows = asked(adapter(lab), "pipeline")
    assert rows[0].seen.standing is MISSING
    assert rows[0].seen.value == "whoever writes code may push to it past the gate; demands pipeline"
    assert verdict(rows) is Exit.CHECK_FAILED


def test_a_gitlab_that_is_asked_with_a_jobs_token_alone_tells_nothing_of_it() -> None:
    rows = asked(adapter(good_lab(), own=""), "pipeline")
    assert set(standings(rows).values()) == {UNKNOWN}
    assert all("GITLAB_TOKEN" in row.seen.hint for row in rows)


def test_without_premium_nobody_can_tell_who_approves() -> None:
    lab = good_lab()
    lab.world.premium = False
    row = asked(adapter(lab), "pipeline")[2]
    assert row.seen.standing is UNKNOWN
    assert "Premium" in row.seen.hint
