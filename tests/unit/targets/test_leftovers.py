"""Which throw-away services are swept: those of a process that is proved to be dead, and no others."""

import pytest

from ci_lib.ports.protocols import Process, Ran, Unreachable
from ci_lib.targets.compose.leftovers import project_name, sweep
from tests.fakes import FakeHost

HERE, THERE = "0123456789ab", "ba9876543210"
LIVING, DEAD = Process(pid=7, started="100"), Process(pid=8, started="200")
LEFT = project_name(HERE, DEAD, "f" * 12)


def swept(*projects: str, down: Ran | None = None) -> tuple[list[str], list[str]]:
    """The projects that were taken down, and what was told."""
    told: list[str] = []
    answers = {
        ("docker", "ps"): Ran(code=0, stdout="\n".join(projects)),
        ("docker", "network"): Ran(code=0, stdout="\n".join(projects)),
        ("docker", "volume"): Ran(code=1, stderr="no"),
        ("docker", "compose"): down or Ran(code=0),
    }
    host = FakeHost(commands={**answers})
    sweep(host, table=HERE, alive=lambda process: process == LIVING, told=told.append)
    return [call.argv[3] for call in host.calls if call.argv[1] == "compose"], told


def test_what_a_dead_gate_left_is_removed_once() -> None:
    assert swept(LEFT, "shop-staging") == (
        [LEFT],
        [f"the services of {LEFT}, whose gate was killed, were removed"],
    )


@pytest.mark.parametrize(
    "project",
    [
        project_name(HERE, LIVING, "f" * 12),
        project_name(THERE, DEAD, "f" * 12),
        f"{LEFT}-2",
        f"my-{LEFT}",
        "gate-0123456789ab",
    ],
)
def test_what_lives_or_belongs_elsewhere_stays(project: str) -> None:
    assert swept(project) == ([], [])


def test_what_cannot_be_removed_is_told_and_no_fault() -> None:
    _, told = swept(LEFT, down=Ran(code=1, stderr="permission denied"))
    assert told == [f"the services of {LEFT}, whose gate was killed, cannot be removed: permission denied"]


def test_an_engine_that_does_not_answer_is_no_fault_of_the_sweep() -> None:
    def silent(_: object) -> Ran:
        raise Unreachable("the engine did not answer")

    told: list[str] = []
    host = FakeHost(commands={("docker",): silent})
    sweep(host, table=HERE, alive=lambda _: False, told=told.append)
    assert told == ["services of gates that were killed may be left: the engine did not answer"]
