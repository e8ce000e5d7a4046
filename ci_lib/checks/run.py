"""Runs the checks of deploy.yml: patience, verdict and words are the same for every type.

A new type of check is a model in ``config/checks.py``, a file beside this one, and a line in ``_probe``.
"""

from collections.abc import Iterable
from typing import assert_never

from ci_lib.checks import command, database, health, http, isolation, restore_test, script, tcp
from ci_lib.checks.site import Facts, Probe, Seen, Site
from ci_lib.config.checks import (
    Check,
    CommandCheck,
    DatabaseCheck,
    HealthCheck,
    HttpCheck,
    IsolationCheck,
    RestoreTestCheck,
    ScriptCheck,
    TcpCheck,
)
from ci_lib.domain.errors import DeployError
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault

WIDTH = 200
"""Characters that value and bound may have each."""


def run_check(check: Check, site: Site, facts: Facts) -> CheckResult:
    """Try a check until it passes or its tries are used up; the last try's value is told.

    A check that cannot decide has failed, with the reason as its value. ``facts`` are for scripts. Each try
    but the last tells the reporter why there is another one.
    """
    probe = _probe(check, site, facts)
    start = site.clock.monotonic()
    tries = 1
    seen = _look(probe)
    while not seen.passed and tries < check.tries:
        tries += 1
        why = one_line(seen.value, WIDTH)
        site.reporter.text(f"  {check.name}: {why}; try {tries} of {check.tries} in {check.delay:g} s")
        site.clock.sleep(check.delay)
        seen = _look(probe)
    return CheckResult(
        name=check.name,
        mark=Mark.PASSED if seen.passed else Mark.FAILED,
        value=one_line(seen.value, WIDTH),
        bound=one_line(probe.bound, WIDTH),
        tries=tries,
        seconds=site.clock.monotonic() - start,
    )


def run_checks(checks: Iterable[Check], site: Site, facts: Facts) -> tuple[CheckResult, ...]:
    """Run all checks in their order, failed ones or not, and tell the reporter each result at once."""
    results: list[CheckResult] = []
    for check in checks:
        results.append(run_check(check, site, facts))
        site.reporter.check(results[-1])
    return tuple(results)


def _look(probe: Probe) -> Seen:
    try:
        return probe.look()
    except (PortFault, DeployError) as error:
        return Seen(passed=False, value=str(error))


def _probe(check: Check, site: Site, facts: Facts) -> Probe:
    """The table of types."""
    match check:
        case HealthCheck():
            return health.probe(check, site)
        case HttpCheck():
            return http.probe(check, site)
        case TcpCheck():
            return tcp.probe(check, site)
        case DatabaseCheck():
            return database.probe(check, site)
        case CommandCheck():
            return command.probe(check, site)
        case ScriptCheck():
            return script.probe(check, site, facts)
        case RestoreTestCheck():
            return restore_test.probe(check, site)
        case IsolationCheck():
            return isolation.probe(check, site)
        case _:
            assert_never(check)
