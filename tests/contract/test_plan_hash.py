"""A plan that was approved is the one that is carried out, or nothing is: on a target that is not Compose."""

from typing import Any

import pytest

from ci_lib.domain.plan import StepKind
from ci_lib.domain.plan_hash import is_plan_hash
from ci_lib.domain.proposal import Proposal
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.engine.naming import named_images
from ci_lib.engine.proposal import proposed
from ci_lib.engine.survey import read_chain, survey_deploy
from ci_lib.engine.tools import Request
from tests.contract.fake_fleet import fleet_with
from tests.contract.fake_target import FakeTarget, World, digest
from tests.contract.test_fake_target import ends, with_v1

MIGRATION = """\
    migration: {tool: command, service: backend, policy: forward-only, status: [status], apply: [apply]}
    backup: {enabled: false}
"""
BACKUP = "    backup: {enabled: true}\n"


def planned(world: World, version: str, environment: str = "staging", **more: Any) -> Proposal:
    verb = Verb.PROMOTE if environment == "production" else Verb.DEPLOY
    request = Request(verb=verb, version=version, **more)
    tools = world.tools(environment)
    chain = read_chain(tools)
    return proposed(tools, chain, survey_deploy(request, tools, chain, named_images(request, tools)))


def refused(world: World, what: str, environment: str = "staging", **request: Any) -> None:
    """The next deploy of v2 is refused because of ``what``, and changes nothing."""
    serves, kept = world.serves(environment), dict(world.cluster(environment).kept)
    world.applied.clear()
    play = world.promote if environment == "production" else world.deploy
    outcome = play("v2", **request)
    ends(outcome, Status.REFUSED, Reason.POLICY, 12)
    assert outcome.failure is not None
    assert what in outcome.failure.cause
    assert world.applied == []
    assert world.serves(environment) == serves
    assert world.cluster(environment).kept == kept
    phases = [body["phase"] for body in world.store.bodies() if body["environment"] == environment]
    assert phases[-1] == "outcome"
    assert phases[-2:] != ["intent", "outcome"], "it was refused before anything was announced"
    assert world.state(environment).peek() is None, "the lock was given back"


@pytest.mark.parametrize("extra", ["", MIGRATION, BACKUP])
def test_what_was_planned_can_be_deployed_later_and_says_so(extra: str) -> None:
    world = with_v1(extra=extra)
    found = planned(world, "v2")
    world.clock.sleep(60)
    assert planned(world, "v2").hash == found.hash
    outcome = world.deploy("v2", plan_hash=found.hash)
    ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
    assert f"the plan is the approved one, {found.hash}" in outcome.notes


def test_planning_changes_and_records_nothing() -> None:
    world = with_v1()
    bodies = world.store.bodies()
    assert is_plan_hash(planned(world, "v2").hash)
    assert world.store.bodies() == bodies
    assert world.applied == []
    assert world.state().peek() is None


def test_a_first_deploy_can_be_approved() -> None:
    world = World()
    assert world.deploy("v1", plan_hash=planned(world, "v1").hash).green


def test_a_promotion_can_be_approved() -> None:
    world = with_v1()
    found = planned(world, "v1", "production")
    assert world.promote("v1", plan_hash=found.hash).green


def test_a_tag_that_moved_is_refused() -> None:
    world = with_v1()
    found = planned(world, "v2")
    world.tags["api:v2"] = digest("something else")
    refused(world, "the images", plan_hash=found.hash)


def test_files_that_changed_are_refused() -> None:
    world = with_v1()
    found = planned(world, "v2")
    world.files = "files 2"
    refused(world, "what differs: the stack's files", plan_hash=found.hash)


def test_a_service_that_is_not_managed_and_changed_on_another_host_is_refused() -> None:
    world = fleet_with("v1", rollout="batch: 1")
    found = planned(world, "v2")
    assert world.deploy("v2", plan_hash=found.hash).green
    found = planned(world, "v3")
    world.beside["web2"] = "other"
    done = len(world.done)
    outcome = world.deploy("v3", plan_hash=found.hash)
    ends(outcome, Status.REFUSED, Reason.POLICY, 12)
    assert outcome.failure is not None
    assert "what differs: the settings of services" in outcome.failure.cause
    assert world.on_each() == ["v2", "v2", "v2"]
    assert len(world.done) == done


def test_a_deploy_in_between_is_refused() -> None:
    world = with_v1()
    found = planned(world, "v2")
    world.deploy("v3")
    refused(world, "what serves now", plan_hash=found.hash)


def test_a_change_of_deploy_yml_is_refused() -> None:
    world = with_v1()
    found = planned(world, "v2")
    world.extra = BACKUP
    refused(world, "deploy.yml", plan_hash=found.hash)


def test_a_schema_that_moved_is_refused() -> None:
    world = with_v1(extra=MIGRATION)
    found = planned(world, "v2")
    world.heads["v3"] = "s3"
    world.play(Verb.MIGRATE, version="v3")
    refused(world, "what the records know of the schema", plan_hash=found.hash)


def test_checks_that_nobody_agreed_to_skip_are_refused() -> None:
    world = with_v1()
    found = planned(world, "v2")
    more = {"skip_checks": True, "reason": "no time for them tonight", "approver": "bob"}
    refused(world, "the steps", plan_hash=found.hash, **more)
    agreed = planned(world, "v2", **more)
    assert world.deploy("v2", plan_hash=agreed.hash, **more).green


def test_a_deploy_that_failed_and_came_back_leaves_the_plan_as_it_was() -> None:
    world = with_v1()
    found = planned(world, "v2")
    world.unhealthy.add(digest("api:v2"))
    assert not world.deploy("v2").green
    world.unhealthy.clear()
    assert world.deploy("v2", plan_hash=found.hash).green, "what serves is what served when it was planned"


@pytest.mark.parametrize("text", ["v2", "0" * 64, "0" * 64 + "-" + "0" * 27, "$(id)"])
def test_what_is_no_hash_is_a_mistake_of_the_command_line(text: str) -> None:
    outcome = with_v1().deploy("v2", plan_hash=text)
    ends(outcome, Status.FAILED, Reason.USAGE, 2)


def test_a_hash_of_the_right_form_and_no_plan_is_refused_whatever_its_digits_say() -> None:
    world = with_v1()
    found = planned(world, "v2").hash
    refused(world, "its hash does", plan_hash="0" * 64 + found[64:])


def test_a_step_that_the_target_does_not_need_is_in_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [step.name for step in planned(with_v1(), "v2").steps]
    monkeypatch.setattr(FakeTarget, "supports", FakeTarget.supports - {StepKind.PULL})
    assert [step.name for step in planned(with_v1(), "v2").steps] == [
        name for name in names if not name.startswith("pull")
    ]
