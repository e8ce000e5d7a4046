"""What the wiring builds where an environment has several hosts: a driver each, and one target over them."""

from collections.abc import Callable, Mapping, Sequence

from ci_lib.config.resolved import Resolved
from ci_lib.domain.state import State
from ci_lib.domain.target import Target
from ci_lib.ports.protocols import Host
from ci_lib.ports.workers import Threads
from ci_lib.stores.fleet_state import FleetState
from ci_lib.targets.fleet import HostFleet


def fleet_of(settings: Resolved, drivers: Mapping[str, Target]) -> HostFleet:
    """One target over the drivers of all hosts."""
    return HostFleet(drivers, workers=Threads(), at_once=settings.place.rollout.max_parallel)


def state_of(
    settings: Resolved, states: Mapping[str, State], tell: Mapping[str, Callable[[], None]]
) -> State:
    """Lock and journal on the first host; ``states`` is what each would keep by itself.

    ``tell`` makes each other host see that the lock was taken.
    """
    at_once = settings.place.rollout.max_parallel
    return FleetState(states, tell=tell, workers=Threads(), at_once=at_once)


def secrets_of_all(
    settings: Resolved, hosts: Sequence[Host], read: Callable[[Host], tuple[str, ...]]
) -> tuple[str, ...]:
    """What ``read`` finds on all hosts at once; nothing of one that cannot be asked."""
    jobs = [_job(read, host) for host in hosts]
    found = Threads().run(jobs, at_once=settings.place.rollout.max_parallel)
    return tuple(secret for secrets in found if isinstance(secrets, tuple) for secret in secrets)


def _job(read: Callable[[Host], tuple[str, ...]], host: Host) -> Callable[[], tuple[str, ...]]:
    return lambda: read(host)
