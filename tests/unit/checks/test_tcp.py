import pytest

from ci_lib.domain.outcome import Mark
from ci_lib.ports.protocols import Ran, Unreachable
from tests.unit.checks.places import Place


def test_from_the_runner_a_connection_is_enough() -> None:
    place = Place()
    place.net.lines["10.0.0.1", 6379] = b""
    result = place.run(type="tcp", address="10.0.0.1", port=6379)
    assert (result.mark, result.value, result.bound) == (
        Mark.PASSED,
        "accepted",
        "10.0.0.1:6379 accepts a connection",
    )


def test_from_the_runner_a_refused_connection_fails() -> None:
    place = Place()
    place.net.lines["127.0.0.1", 6379] = Unreachable("connection refused")
    assert place.run(type="tcp", port=6379).value == "connection refused"


def test_the_host_connects_by_itself_since_a_forward_accepts_everything() -> None:
    place = Place()
    place.host.commands["sh", "-c"] = Ran(code=0)
    assert place.run(type="tcp", port=6379, start="host", timeout="2.5s").mark is Mark.PASSED
    assert place.host.forwards == []
    assert place.host.calls[0].argv[3:] == ("sh", "127.0.0.1", "6379", "2.5")
    assert place.host.calls[0].timeout > 2.5


def test_a_container_is_asked_at_its_own_address() -> None:
    place = Place()
    place.containers.addresses["cache"] = "172.18.0.9"
    place.host.commands["sh", "-c"] = Ran(code=0)
    result = place.run(type="tcp", port=6379, start="container", service="cache")
    assert (result.mark, result.bound) == (Mark.PASSED, "cache:6379 accepts a connection")
    assert place.host.calls[0].argv[4:6] == ("172.18.0.9", "6379")


@pytest.mark.parametrize(
    ("ran", "value"),
    [
        (Ran(code=1, stderr="bash: Connection refused"), "not accepted: bash: Connection refused"),
        (Ran(code=124), "no answer within 5 s"),
        (Ran(code=90), "cannot be decided: web1 has neither bash nor nc"),
    ],
)
def test_whatever_else_the_host_says_fails(ran: Ran, value: str) -> None:
    place = Place()
    place.host.commands["sh", "-c"] = ran
    result = place.run(type="tcp", port=6379, start="host")
    assert (result.mark, result.value) == (Mark.FAILED, value)
