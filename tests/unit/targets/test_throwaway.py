"""What a job is told of the services beside it, and that nothing keeps them from being removed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.ports.protocols import NO_ENV, Ran, TimedOut, Watched
from ci_lib.targets.compose.throwaway import published, services
from tests.fakes import FakeClock, FakeHost, Reply

DOWN = ("docker", "compose", "-p", "gate-1", "down")


def container(name: str, service: str, **ports: list[tuple[str, str]] | None) -> dict[str, Any]:
    """An inspected container; `tcp_5432=[("0.0.0.0", "49153")]` is a published port."""
    listed = {
        "/".join(reversed(port.split("_"))): found
        and [{"HostIp": address, "HostPort": number} for address, number in found]
        for port, found in ports.items()
    }
    labels = {"com.docker.compose.service": service}
    return {"Name": name, "Config": {"Labels": labels}, "NetworkSettings": {"Ports": listed}}


class TestPublished:
    def test_a_service_is_named_in_capitals_with_its_host_and_ports(self) -> None:
        both = [("0.0.0.0", "49153"), ("::", "49153")]
        item = container("/x-1", "test-db.2", tcp_5432=both, udp_53=[("0.0.0.0", "49154")])
        assert published([item]) == {
            "TEST_DB_2_HOST": "127.0.0.1",
            "TEST_DB_2_PORT_5432": "49153",
            "TEST_DB_2_PORT_53_UDP": "49154",
        }

    def test_a_port_bound_to_one_address_is_found_there(self) -> None:
        item = container("/x-1", "db", tcp_5432=[("127.0.0.2", "49153")])
        assert published([item])["DB_HOST"] == "127.0.0.2"

    def test_a_port_that_is_exposed_but_not_published_is_not_there(self) -> None:
        assert published([container("/x-1", "db", tcp_5432=None)]) == {}

    def test_of_several_containers_the_first_counts(self) -> None:
        first = container("/x-1", "web", tcp_80=[("", "1")])
        second = container("/x-2", "web", tcp_80=[("", "2")])
        assert published([second, first])["WEB_PORT_80"] == "1"

    def test_two_services_that_would_have_the_same_variables_are_a_fault(self) -> None:
        one = container("/x-1", "my-db", tcp_80=[("", "1")])
        other = container("/y-1", "my_db", tcp_80=[("", "2")])
        with pytest.raises(StepFault, match="services my-db and my_db would both be MY_DB_HOST"):
            published([one, other])


class QuietLive:
    """Every command succeeds and prints nothing: no containers, so all of them are up."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        told: Callable[[str], None],
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
        capture: bool = False,
    ) -> Watched:
        return Watched(code=0)

    def stop(self) -> None:
        raise AssertionError("nobody stops here")


@dataclass
class Removal:
    """Services whose removal goes as scripted."""

    replies: list[Reply]
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = FakeHost(commands={DOWN: self.replies})

    def services(self) -> AbstractContextManager[Mapping[str, str]]:
        return services(
            self.host,
            "/work/tests/compose.yml",
            project="gate-1",
            limit=60,
            clock=FakeClock(),
            live=QuietLive(),
            told=self.told.append,
        )


class TestRemoval:
    def test_it_is_done_again_when_a_cancel_ended_it_half_way(self) -> None:
        removal = Removal([Cancelled("SIGTERM"), Ran(code=0)])
        with pytest.raises(Cancelled), removal.services():
            pass
        assert [call.argv[:5] for call in removal.host.calls] == [DOWN, DOWN]

    def test_one_that_fails_after_a_good_block_is_a_fault(self) -> None:
        removal = Removal([Ran(code=1, stderr="no engine")])
        with (
            pytest.raises(StepFault, match="project gate-1 cannot be removed: no engine"),
            removal.services(),
        ):
            pass

    @pytest.mark.parametrize("reply", [Ran(code=1, stderr="no engine"), TimedOut("no engine")])
    def test_one_that_fails_does_not_hide_what_went_wrong_before(self, reply: Reply) -> None:
        removal = Removal([reply])
        with pytest.raises(ZeroDivisionError), removal.services():
            _ = 1 / 0
        assert "no engine" in removal.told[-1]
