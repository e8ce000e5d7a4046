"""Waiting until a release serves, by Compose's own health checks and our own patience.

``up --wait`` cannot be used: it fails on a finished one-shot service, and passes at once where a service has
no health check.
"""

from collections.abc import Mapping

from ci_lib.domain.errors import StepFault
from ci_lib.domain.running import Health, Running
from ci_lib.targets.compose.observe import observe
from ci_lib.targets.compose.site import Site

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5
"""Seconds between two looks: most services are up at once or take long."""

_CRASH_LOOP = 3


def await_serving(site: Site, services: tuple[str, ...], *, limit: float) -> None:
    """Return when every container of ``services`` serves; raise ``StepFault`` when one cannot or will not."""
    deadline = site.clock.monotonic() + limit
    first: dict[str, int] = {}
    pause = _FIRST_PAUSE
    while True:
        now = [item for item in observe(site) if item.workload in services]
        for item in now:
            first.setdefault(item.instance, item.restarts)
        hopeless = [reason for item in now if (reason := _hopeless(site, item, first))]
        if hopeless:
            raise StepFault("; ".join(sorted(set(hopeless))), hint="see the logs in the evidence")
        waiting = [item for item in now if not _settled(site, item)]
        missing = set(services) - {item.workload for item in now}
        if not waiting and not missing:
            return
        if site.clock.monotonic() >= deadline:
            names = sorted({f"{item.workload} ({item.health})" for item in waiting} | missing)
            raise StepFault(
                f"not serving after {limit:.0f} s: {', '.join(names)}",
                hint="see the logs in the evidence; `limits.serving` is the time they had",
            )
        site.clock.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)


def _settled(site: Site, item: Running) -> bool:
    if item.workload in site.compose.one_shot:
        return item.health is Health.EXITED and item.exit_code == 0
    if item.health is Health.NONE:
        return item.age >= site.compose.settle
    return item.health is Health.HEALTHY


def _hopeless(site: Site, item: Running, first: Mapping[str, int]) -> str:
    """Why waiting longer makes no sense; empty when it does."""
    restarts = item.restarts - first[item.instance]
    if item.restarts and restarts >= _CRASH_LOOP:
        return f"{item.workload} restarts again and again ({item.restarts} times)"
    if item.health is Health.UNHEALTHY:
        return f"{item.workload} is unhealthy"
    if item.health is not Health.EXITED:
        return ""
    if item.exit_code != 0:
        return f"{item.workload} ended with exit code {item.exit_code}"
    if item.workload not in site.compose.one_shot:
        return f"{item.workload} ended by itself; list it under `one_shot:` if that is meant"
    return ""
