from dataclasses import replace
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.outcome import Mark
from ci_lib.domain.reasons import Verb
from ci_lib.ports.workers import Threads
from ci_lib.records.audit import Audit, audit
from ci_lib.records.chain import check
from tests.attacks.support import forged, rewritten, signed_world, verification
from tests.contract.fake_target import World, settings


def audited(world: World, pieces: int = 2, **views: str) -> Audit:
    trust = world.trust
    chain = replace(check(world.store.read("shop")), flaw=lambda record: trust.flaw("shop", record))
    found = replace(world.store.views("shop"), **views)
    return audit(chain, found, called, workers=Threads(), at_once=pieces)


def called(environment: str) -> tuple[str, str]:
    found = settings(environment)
    return found.history_name, found.history_env


def wrong(found: Audit) -> list[str]:
    return [row.name for row in found.rows if row.mark is Mark.FAILED]


@pytest.fixture
def world() -> World:
    made = signed_world()
    made.failing.add("v2")
    made.clock.sleep(60)
    assert not made.deploy("v2").green
    return made


def test_a_ledger_that_we_wrote_is_as_it_should_be(world: World) -> None:
    found = audited(world)
    assert [row.mark for row in found.rows] == [Mark.PASSED] * 4
    assert found.head == check(world.store.read("shop")).head
    assert found.records == len(world.store.bodies())


def test_an_empty_ledger_is_as_it_should_be() -> None:
    assert wrong(audited(World())) == []


@pytest.mark.parametrize("pieces", [2, 3, 5, 100, 10_000])
def test_it_does_not_matter_into_how_many_pieces_a_ledger_is_cut(world: World, pieces: int) -> None:
    forged(world, verification(world, "v3"))
    chain = check(world.store.read("shop"))
    assert b"".join(piece.data for piece in chain.pieces(pieces)) == chain.data
    assert all(piece.data.endswith(b"\n") for piece in chain.pieces(pieces))
    assert 1 < len(list(chain.pieces(pieces))) <= pieces
    assert audited(world, pieces) == audited(world, 1)


def test_an_edited_log_is_noticed(world: World) -> None:
    edited = world.store.history.replace("fail", "success")
    assert wrong(audited(world, history=edited)) == ["deploy-history.log"]


@pytest.mark.parametrize(
    "edit",
    [lambda text: text.split("\n", 1)[1], lambda text: text * 2, lambda _: ""],
)
def test_lines_that_are_missing_or_there_twice_may_be_of_a_run_that_was_killed(
    world: World, edit: Any
) -> None:
    found = audited(world, history=edit(world.store.history))
    assert wrong(found) == []
    assert [row.name for row in found.rows if row.mark is Mark.WARNED] == ["deploy-history.log"]


def test_runs_of_two_environments_may_write_in_another_order_than_they_recorded(world: World) -> None:
    lines = world.store.history.splitlines(keepends=True)
    assert wrong(audited(world, history="".join(lines[::-1]))) == []


def test_the_lines_of_other_stacks_in_the_log_do_not_matter(world: World) -> None:
    other = "2026-01-01 00:00:00 | blog | prod | deploy | v9 | success\n"
    assert wrong(audited(world, history=f"{other}{world.store.history}{other}\nnot a line\n")) == []


@pytest.mark.parametrize("version", ["v2\n", "", "v9\n"])
def test_another_verified_version_than_that_of_the_records_is_noticed(world: World, version: str) -> None:
    assert wrong(audited(world, verified=version)) == ["verified version"]


def test_after_a_revocation_the_view_names_nothing_that_was_revoked(world: World) -> None:
    (body,) = [one for one in world.store.bodies() if one.get("result") == "PASSED"]
    digests = [image["digest"] for image in body["release"]["images"]]
    frame = world.tools("staging").frame
    forged(world, frame.revoked(world.clock.now(), "v1", tuple(digests), "a hole in its TLS library"))
    line = "2026-01-02 03:06:35 | shop | staging | revoke | v1 | success | a hole in its TLS library\n"
    found = audited(world, verified="none\n", history=world.store.history + line)
    assert "verified version" not in wrong(found)
    assert "verified version" in wrong(audited(world, verified="v1\n"))


def test_what_is_not_signed_is_named_and_is_no_damage(world: World) -> None:
    forged(world, verification(world, "v3"))
    found = audited(world, verified="v3\n")
    (row,) = [row for row in found.rows if row.name == "signatures"]
    assert row.mark is Mark.WARNED
    assert "it is not signed" in row.value


@pytest.mark.parametrize("phase", ["intent", "", None])
def test_a_verification_is_looked_at_whatever_its_phase_is_called(world: World, phase: str | None) -> None:
    """Readers find a verification by its type alone."""
    forged(world, verification(world, "v3", phase=phase))
    (row,) = [row for row in audited(world, verified="v3\n").rows if row.name == "signatures"]
    assert row.mark is Mark.WARNED


@pytest.mark.parametrize("phase", ["intent", "outcome"])
def test_a_body_that_is_not_that_of_its_id_is_damage_in_every_line(world: World, phase: str) -> None:
    """The chain is mended; the id of the body is not."""
    mark = f'"phase":"{phase}"'.encode()
    rewritten(world, lambda data: data.replace(mark, b'"more":1,' + mark, 1))
    with pytest.raises(Refusal, match="does not match its id"):
        audited(world)


def test_a_line_of_another_spelling_is_damage_whatever_it_says(world: World) -> None:
    rewritten(world, lambda data: data.replace(b'"body":{', b'"body": {', 1))
    with pytest.raises(Refusal, match="does not match its id"):
        audited(world)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [*lines[:2], lines[1], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0].replace(b"staging", b"stagins"), *lines[1:]],
    ],
    ids=["first cut", "cut", "swapped", "twice", "last twice", "edited"],
)
def test_lines_that_were_moved_or_changed_are_damage(world: World, change: Any) -> None:
    lines = world.store.ledgers["shop"].splitlines(keepends=True)
    world.store.ledgers["shop"] = b"".join(change(lines))
    with pytest.raises(Refusal, match="damaged"):
        audited(world)


def test_a_record_of_an_odd_shape_is_damage(world: World) -> None:
    odd = {"type": str(Verb.DEPLOY), "status": "deployed", "version": None, "time": 7}
    forged(world, verification(world, "v3") | odd)
    with pytest.raises(Refusal):
        audited(world)


def test_views_that_are_not_there_are_noticed(world: World) -> None:
    assert wrong(audited(world, history="", verified="")) == ["verified version"]
