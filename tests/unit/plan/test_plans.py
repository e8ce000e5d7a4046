"""Whole plans, compared with the ones that were agreed on.

Run with UPDATE_GOLDEN=1 to write what is planned now; then read the difference.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ci_lib.domain.images import Image, Release
from ci_lib.domain.plan import Plan, Step
from ci_lib.domain.running import Health, Running
from ci_lib.domain.target import Candidate
from ci_lib.images.rule import Basis, exempt
from ci_lib.plan.deploy import deploy
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import examined
from ci_lib.plan.rollback import rollback
from ci_lib.plan.take_down import taken_down
from tests.contract.fake_target import image, settings

GOLDEN = Path(__file__).parents[2] / "golden" / "plans"
EXTRA = """\
    hooks: {before_switch: [[./announce]], after_verify: [[./celebrate, now]], on_failure: [[./alarm]]}
    backup: {enabled: true}
    verify: [{name: deep, type: tcp, port: 8000, tries: 2, delay: 3s, timeout: 4s}]
"""
WORKLOADS = {"backend": 2, "nginx": 1, "worker": 1}


def release(api: str, web: str) -> Release:
    return Release(images=(image("api", api), image("web", web)), files="files", services="services")


def running(of: Release, labels: Release | None = None) -> tuple[Running, ...]:
    names = {"backend": "api", "worker": "api", "nginx": "web"}
    return tuple(
        Running(
            workload=service,
            instance=f"{service}-{number}",
            host="here",
            image_ids=(_image(of, names[service]).pinned,),
            health=Health.HEALTHY,
            started_at="then",
            release_id=(labels or of).id,
        )
        for service, count in WORKLOADS.items()
        for number in range(count)
    )


def _image(of: Release, name: str) -> Image:
    found = of.image(name)
    assert found is not None
    return found


OLD, NEW = release("v1", "v1"), release("v2", "v2")
PLAIN = Ground(
    settings=settings(),
    candidate=Candidate(release=NEW, workloads=WORKLOADS),
    verified=exempt(NEW.images, Basis.NOT_REQUIRED),
    running=running(OLD),
    previous=OLD,
)
FULL = replace(
    PLAIN,
    settings=settings("staging", EXTRA),
    candidate=replace(PLAIN.candidate, others=("postgres:16",)),
)
HALF = release("v2", "v1")
PARTIAL = replace(
    PLAIN,
    candidate=replace(PLAIN.candidate, release=HALF),
    verified=exempt(HALF.images, Basis.NOT_REQUIRED),
    only=("api",),
)
ADOPTED = replace(OLD, adopted=True)
MIGRATION = """\
    migration: {tool: alembic, service: backend, policy: reversible}
    backup: {enabled: true, databases: [{type: postgres, service: db}]}
"""
MIGRATING = replace(
    PLAIN, settings=settings("staging", MIGRATION), candidate=replace(PLAIN.candidate, needs=("db",))
)
DATABASE = replace(running(OLD)[0], workload="db", release_id="")

PLANS: dict[str, Plan] = {
    "deploy": deploy(PLAIN),
    "deploy-with-everything": deploy(FULL),
    "deploy-without-checks": deploy(replace(FULL, skip_checks=True)),
    "first-deploy": deploy(replace(FULL, running=(), previous=None)),
    "deploy-over-adopted": deploy(replace(PLAIN, previous=ADOPTED, adopted=ADOPTED)),
    "partial": deploy(PARTIAL),
    "deploy-with-migration": deploy(replace(MIGRATING, running=(*running(OLD), DATABASE))),
    "first-deploy-with-migration": deploy(replace(MIGRATING, running=(), previous=None)),
    "rollback-with-schema": rollback(replace(MIGRATING, snapshot=NEW.id, schema_to=("0001",))),
    "unchanged": deploy(replace(PLAIN, running=running(NEW), previous=NEW, good=True)),
    "rollback": rollback(replace(FULL, snapshot=NEW.id)),
    "take-down": taken_down(replace(PLAIN, candidate=replace(PLAIN.candidate, release=OLD))),
    "post-verify": examined(replace(FULL, running=running(NEW), previous=NEW), "checks", "verify"),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_is_the_one_that_was_agreed_on(name: str) -> None:
    file = GOLDEN / f"{name}.json"
    text = json.dumps([step.as_json() for step in PLANS[name]], indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_kept_plan_is_one_that_is_made() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(PLANS)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_survives_the_journal(name: str) -> None:
    text = json.dumps([step.as_json() for step in PLANS[name]])
    assert tuple(Step.from_json(step) for step in json.loads(text)) == PLANS[name]


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan]


def test_what_serves_already_is_only_looked_at() -> None:
    assert names(PLANS["unchanged"]) == ["prove", "check", "prove"]


def test_what_was_deployed_without_checks_is_marked_good_once_it_passes_them() -> None:
    unchecked = replace(PLAIN, running=running(NEW), previous=NEW)
    assert names(deploy(unchecked)) == ["prove", "check", "prove", "retain"]
    assert names(deploy(replace(unchecked, skip_checks=True))) == ["prove"]


def test_nothing_that_runs_is_touched_before_the_step_with_the_way_back() -> None:
    for plan in PLANS.values():
        ways = [step.name for step in plan if step.undo]
        assert ways in ([], ["switch"], ["migrate", "switch"], ["take_down"])


def test_taking_down_leaves_the_files_and_its_way_back_starts_what_served() -> None:
    look, down, proof = PLANS["take-down"]
    assert (look.name, look.args) == ("preflight", {"down": True})
    assert (down.args["failed"], down.args["known"]) == ("", [])
    assert names(down.undo) == ["restore", "await_serving", "prove"]
    assert {step.release for step in down.undo} == {OLD}
    assert proof.release is None


def test_a_first_deploy_has_no_backup_and_is_taken_down_when_it_fails() -> None:
    plan = PLANS["first-deploy"]
    assert "backup" not in names(plan)
    assert names(next(step.undo for step in plan if step.undo)) == ["take_down"]


def test_only_a_rollback_leaves_the_release_that_serves() -> None:
    switches = {name: step for name, plan in PLANS.items() for step in plan if step.name == "switch"}
    leaving = [name for name, step in switches.items() if step.args["leaving"]]
    assert leaving == ["rollback-with-schema", "rollback"]


def test_skipped_checks_leave_the_proof_and_make_no_good_release() -> None:
    plan = PLANS["deploy-without-checks"]
    assert names(plan)[-3:] == ["prove", "retain", "hook after_verify"]
    assert plan[-2].args["good"] is False


def test_the_check_step_may_last_as_long_as_its_checks() -> None:
    check = next(step for step in PLANS["post-verify"] if step.name == "check")
    assert check.time_limit == (3 * (5 + 1) + 5) + (2 * (4 + 3) + 5)


@pytest.mark.parametrize(
    ("instances", "unchanged"),
    [
        (running(NEW), True),
        (running(NEW)[:-1], False),
        ((), False),
        (running(NEW, labels=OLD), False),
        (running(OLD, labels=NEW), False),
        ((*running(NEW), replace(running(NEW)[0], workload="postgres", release_id="")), True),
    ],
)
def test_unchanged_means_every_instance_there_labelled_and_from_its_image(
    instances: tuple[Running, ...], unchanged: bool
) -> None:
    assert replace(PLAIN, running=instances).unchanged is unchanged


@pytest.mark.parametrize(
    ("health", "code", "unchanged"),
    [
        (Health.HEALTHY, None, True),
        (Health.UNHEALTHY, None, True),
        (Health.EXITED, 1, True),
        (None, None, False),
    ],
)
def test_a_service_that_is_not_managed_has_to_be_there_too(
    health: Health | None, code: int | None, unchanged: bool
) -> None:
    database = replace(
        running(NEW)[0], workload="postgres", release_id="", health=health or Health.NONE, exit_code=code
    )
    there = (*running(NEW), database) if health else running(NEW)
    candidate = replace(PLAIN.candidate, unmanaged=frozenset({"postgres"}))
    assert replace(PLAIN, candidate=candidate, running=there).unchanged is unchanged


def test_a_partial_deploy_is_unchanged_when_its_own_services_are() -> None:
    mixed = running(HALF, labels=OLD)
    mine = tuple(
        replace(i, release_id=HALF.id) if i.workload in ("backend", "worker") else i for i in mixed
    )
    assert not replace(PARTIAL, running=mixed).unchanged
    assert replace(PARTIAL, running=mine).unchanged
