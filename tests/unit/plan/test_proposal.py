"""What is approved: which changes make another plan, and which do not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ci_lib.domain.differences import Differences
from ci_lib.domain.plan_hash import differing
from ci_lib.domain.proposal import Proposal, SchemaOutlook
from ci_lib.domain.running import Health, Running
from ci_lib.images.rule import Basis, exempt
from ci_lib.plan.deploy import deploy
from ci_lib.plan.ground import Ground
from ci_lib.plan.proposal import proposal
from tests.contract.fake_target import image, settings
from tests.unit.plan.test_plans import ADOPTED, FULL, MIGRATING, NEW, OLD, PARTIAL, PLAIN, release, running

SCHEMA = SchemaOutlook(tool="alembic", now=("0001",), then=("0002",))
CASES = {"plain": PLAIN, "full": FULL, "partial": PARTIAL, "migrating": MIGRATING}


def made(ground: Ground, schema: SchemaOutlook | None = None) -> Proposal:
    return proposal(ground, deploy(ground), schema=schema, differences=Differences())


def differs(one: Ground, other: Ground) -> tuple[str, ...]:
    before, after = made(one).hash, made(other).hash
    assert (before == after) == (not differing(before, after))
    return differing(before, after)


def with_release(ground: Ground, **parts: str) -> Ground:
    return replace(ground, candidate=replace(ground.candidate, release=replace(NEW, **parts)))


def with_running(ground: Ground, change: Callable[[Running], Running]) -> Ground:
    return replace(ground, running=tuple(change(item) for item in ground.running))


@pytest.mark.parametrize("name", CASES)
def test_what_changes_by_itself_makes_no_other_plan(name: str) -> None:
    ground = CASES[name]
    later = with_running(ground, lambda item: replace(item, age=99.0, restarts=3, health=Health.NONE))
    assert made(ground).hash == made(later).hash
    assert made(ground).hash == made(replace(ground, notes=("anything",))).hash
    assert made(ground).hash == made(replace(ground, running=tuple(reversed(ground.running)))).hash


def test_another_digest_is_another_plan_and_said_to_be_the_image() -> None:
    moved = release("v2", "v2")
    moved = replace(moved, images=(replace(image("api", "v3"), tag="v2"), *moved.images[1:]))
    other = replace(
        PLAIN,
        candidate=replace(PLAIN.candidate, release=moved),
        verified=exempt(moved.images, Basis.NOT_REQUIRED),
    )
    assert differs(PLAIN, other) == ("images",)


def test_each_other_change_is_said_to_be_what_it_is() -> None:
    assert differs(PLAIN, with_release(PLAIN, files="other")) == ("files",)
    assert differs(PLAIN, with_release(PLAIN, services="other")) == ("settings",)
    resolved = replace(PLAIN.candidate, settings={"db.environment.X": "1"})
    assert differs(PLAIN, replace(PLAIN, candidate=resolved)) == ("settings",)
    assert differs(PLAIN, replace(PLAIN, settings=replace(settings(), config_hash="other"))) == (
        "configuration",
    )
    forced = replace(PLAIN, verified=exempt(NEW.images, Basis.ROLLBACK))
    assert differs(PLAIN, forced) == ("images",), "why an image may run is approved too"
    assert differs(FULL, replace(FULL, skip_checks=True)) == ("steps",)
    assert differs(PLAIN, PARTIAL)[0] == "images"


def test_the_settings_of_every_host_are_approved_and_not_those_of_the_first_alone() -> None:
    def ground(**values: str) -> Ground:
        each = {host: {"db.environment.X": value} for host, value in values.items()}
        hosts = {host: replace(PLAIN.candidate, settings=known) for host, known in each.items()}
        return replace(PLAIN, candidate=replace(hosts["web1"], hosts=hosts))

    known = ground(web1="1", web2="2")
    assert made(known).hash == made(ground(web2="2", web1="1")).hash
    assert differs(known, ground(web1="1", web2="3")) == ("settings",)
    assert differs(known, ground(web1="2", web2="1")) == ("settings",)


def test_another_release_that_serves_is_another_plan() -> None:
    between = release("v1", "v2")
    assert differs(PLAIN, replace(PLAIN, previous=between, running=running(between))) == ("serving",)
    assert differs(PLAIN, replace(PLAIN, previous=ADOPTED, adopted=ADOPTED))[0] == "serving"


def test_what_runs_beside_the_records_is_another_plan() -> None:
    by_hand = with_running(PLAIN, lambda item: replace(item, release_id=""))
    assert "serving" in differs(PLAIN, by_hand)
    other_image = with_running(PLAIN, lambda item: replace(item, image_ids=("somewhere@sha256:else",)))
    assert "serving" in differs(PLAIN, other_image)
    found = made(other_image)
    assert all(row.strange and row.changed for row in found.services)


def test_a_schema_that_moved_is_another_plan() -> None:
    moved = replace(SCHEMA, now=("0002",))
    assert differing(made(MIGRATING, SCHEMA).hash, made(MIGRATING, moved).hash) == ("schema",)


def test_each_service_shows_its_image_before_and_after() -> None:
    found = made(PARTIAL)
    assert [(row.service, row.old and row.old.tag, row.new.tag) for row in found.services] == [
        ("backend", "v1", "v2"),
        ("worker", "v1", "v2"),
    ]
    same = made(replace(PARTIAL, only=("web",)))
    assert [(row.service, row.changed) for row in same.services] == [("nginx", False)]


def test_only_services_that_run_and_are_replaced_are_interrupted() -> None:
    assert made(PLAIN).down == ("backend", "nginx", "worker")
    assert made(PARTIAL).down == ("backend", "worker")
    assert made(replace(PLAIN, running=(), previous=None)).down == ()
    assert made(replace(PLAIN, running=running(NEW), previous=NEW, good=True)).down == ()
    assert made(replace(PLAIN, running=running(OLD)[:2])).down == ("backend",)


def test_the_json_form_has_everything_a_person_reads() -> None:
    found = made(MIGRATING, SCHEMA)
    data = found.as_json()
    assert data["plan_hash"] == found.hash
    assert data["interruption"] == {"services": ["backend", "nginx", "worker"], "at_most": 420.0}
    assert data["schema"] == {"tool": "alembic", "now": ["0001"], "then": ["0002"]}
    assert data["services"][0] == {
        "service": "backend",
        "image": "api",
        "old_digest": image("api", "v1").digest,
        "new_digest": image("api", "v2").digest,
        "changed": True,
        "runs_another_image": False,
    }
