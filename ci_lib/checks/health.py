"""Every container of the stack is serving, as its own health check sees it."""

from collections import Counter
from collections.abc import Iterable

from ci_lib.checks.site import Probe, Seen, Site
from ci_lib.config.checks import HealthCheck
from ci_lib.domain.running import Health, Running


def probe(_check: HealthCheck, site: Site) -> Probe:
    """Make ready to look at everything that the target reports."""
    return Probe(bound="every container serving", look=lambda: _judge(site.observe(), site.one_shot))


def _judge(running: tuple[Running, ...], one_shot: frozenset[str]) -> Seen:
    if not running:
        return Seen(passed=False, value="nothing runs")
    bad = [item for item in running if not _well(item, one_shot)]
    if bad:
        return Seen(passed=False, value=_together(_state(item) for item in bad))
    serving = sum(item.serving for item in running)
    ended = len(running) - serving
    value = f"{serving} serving" + (f", {ended} ended as meant" if ended else "")
    return Seen(passed=serving > 0, value=value)


def _well(item: Running, one_shot: frozenset[str]) -> bool:
    """Serving; or done with its work, for one that is meant to end."""
    return item.serving or (
        item.workload in one_shot and item.health is Health.EXITED and item.exit_code == 0
    )


def _state(item: Running) -> str:
    if item.health is Health.EXITED:
        return f"{item.workload} exited {'?' if item.exit_code is None else item.exit_code}"
    return f"{item.workload} {item.health}"


def _together(states: Iterable[str]) -> str:
    """``web unhealthy, worker starting (2 times)``."""
    counted = sorted(Counter(states).items())
    return ", ".join(state if number == 1 else f"{state} ({number} times)" for state, number in counted)
