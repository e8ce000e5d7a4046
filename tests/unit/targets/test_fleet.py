"""Several drivers as one target."""

from collections.abc import Callable
from typing import cast

import pytest

from ci_lib.domain.errors import ConfigFault, HostsFault, StepFault
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.target import Target, Wanted
from ci_lib.ports.protocols import Unreachable
from ci_lib.targets.fleet import HostFleet
from tests.contract.fake_fleet import FleetWorld, InTurn, fleet_with
from tests.contract.fake_target import image

IMAGES = (image("api", "v2"), image("web", "v2"))


class Talking:
    """A driver that only applies and advises."""

    supports = frozenset(StepKind)

    def __init__(self, apply: Callable[[Step], StepReport]) -> None:
        self.apply = apply

    def advice(self) -> tuple[str, ...]:
        return ("by hand: docker compose",)


def fleet(**drivers: Callable[[Step], StepReport]) -> HostFleet:
    talking = {name: cast("Target", Talking(apply)) for name, apply in drivers.items()}
    return HostFleet(talking, workers=InTurn(), at_once=2)


def step(*hosts: str) -> Step:
    args = {"hosts": {host: {"previous": f"of {host}"} for host in hosts}, "each": 60.0}
    return Step(kind=StepKind.SWITCH, args=args, time_limit=120.0)


def real(world: FleetWorld) -> HostFleet:
    return cast("HostFleet", world.tools("staging").target)


def test_each_host_is_told_what_it_has_to_know_and_has_its_own_time() -> None:
    seen: list[Step] = []

    def apply(part: Step) -> StepReport:
        seen.append(part)
        return StepReport()

    fleet(web1=apply, web2=apply, web3=apply).apply(step("web1", "web3"))
    assert [(part.host, part.args, part.time_limit) for part in seen] == [
        ("web1", {"previous": "of web1"}, 60.0),
        ("web3", {"previous": "of web3"}, 60.0),
    ]


def test_the_others_do_their_work_when_one_fails_and_the_fault_names_that_one() -> None:
    done: list[str] = []

    def good(part: Step) -> StepReport:
        done.append(part.host)
        return StepReport()

    def gone(_: Step) -> StepReport:
        raise Unreachable("no route")

    def broken(_: Step) -> StepReport:
        raise StepFault("unhealthy", hint="see the logs", reason=Reason.STOPPED)

    with pytest.raises(HostsFault) as caught:
        fleet(web1=gone, web2=broken, web3=good).apply(step("web1", "web2", "web3"))
    assert done == ["web3"]
    assert caught.value.message == "web1: no route; web2: unhealthy"
    assert (caught.value.reason, caught.value.hint) == (Reason.STOPPED, "see the logs")
    assert list(caught.value.faults) == ["web1", "web2"]


def test_a_defect_on_one_host_is_the_failure_of_that_host() -> None:
    def defect(_: Step) -> StepReport:
        raise KeyError("previous")

    with pytest.raises(HostsFault, match=r"web1: a defect of deploy-actions: KeyError: 'previous' in defect"):
        fleet(web1=defect, web2=lambda _: StepReport()).apply(step("web1", "web2"))


def test_a_host_that_deploy_yml_forgot_fails_and_the_others_do_not() -> None:
    with pytest.raises(HostsFault, match="web9 is not among the environment's hosts any more"):
        fleet(web1=lambda _: StepReport()).apply(step("web1", "web9"))


def test_what_all_say_is_said_once_and_what_some_say_with_their_names() -> None:
    both = fleet(
        web1=lambda _: StepReport(notes=("the pin", "an orphan")),
        web2=lambda _: StepReport(notes=("the pin",)),
    )
    assert both.apply(step("web1", "web2")).notes == ("the pin", "web1: an orphan")
    assert both.advice() == ("by hand: docker compose",)


def test_a_step_from_a_time_with_one_host_is_done_there() -> None:
    seen: list[str] = []

    def apply(part: Step) -> StepReport:
        seen.append(part.host)
        return StepReport()

    fleet(web1=apply, web2=apply).apply(Step(kind=StepKind.RESTORE, host="web2"))
    assert seen == ["web2"]


def test_hosts_that_make_the_same_of_a_release_give_it_the_id_that_one_of_them_would() -> None:
    world = fleet_with("v1")
    alike = real(world).resolve(Wanted(images=IMAGES))
    alone = real(world).at("web2").resolve(Wanted(images=IMAGES))
    assert alike.release.id == alone.release.id
    world.services["web2"] = "another .env"
    differing = real(world).resolve(Wanted(images=IMAGES)).release
    alone = real(world).at("web2").resolve(Wanted(images=IMAGES))
    assert differing.id not in (alike.release.id, alone.release.id)
    assert differing.set_id == alike.release.set_id
    assert real(world).resolve(Wanted(images=IMAGES)).release.id == differing.id


def test_a_release_counts_as_kept_good_and_current_only_where_it_is_so_on_every_host() -> None:
    world = fleet_with("v1", "v2")
    assert [(kept.release.version, kept.good, kept.current) for kept in real(world).kept()] == [
        ("v2", True, True),
        ("v1", True, False),
    ]
    second = world.cluster("staging", "web2")
    second.good.discard(second.current)
    second.kept.pop(next(iter(second.kept)))
    assert [(kept.release.version, kept.good) for kept in real(world).kept()] == [("v2", False)]


def test_a_migration_that_needs_a_service_on_each_host_is_refused() -> None:
    with pytest.raises(ConfigFault, match="the migration needs db"):
        real(FleetWorld(needs=("db",))).resolve(Wanted(images=IMAGES))


def test_it_does_not_claim_what_works_on_one_host() -> None:
    supports = real(FleetWorld()).supports
    assert not supports & {StepKind.BACKUP, StepKind.RESTORE_BACKUP, StepKind.PROVISION, StepKind.STOP}
    assert {StepKind.SWITCH, StepKind.RESTORE, StepKind.MIGRATE, StepKind.TAKE_DOWN} <= supports
