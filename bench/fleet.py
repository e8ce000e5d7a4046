"""Twenty hosts against one: what a release takes, and what of it is the runner's own work.

All hosts are on this machine, each with an engine of its own, and so share its processors as real hosts do
not: the time of twenty is mostly that of twenty engines on a few processors. Where each has its own, twenty
take longer than one by what the runner itself computes for them; that is reckoned from what it computed here.
ssh, which goes on in the background, is not counted.
"""

import resource
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.fleet import Fleet, fleet_of
from tests.lab.images import Hello
from tests.lab.machines import Machine, machines

HOSTS = 20
TURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of a deploy to ``HOSTS`` hosts and to one, as they passed and as the runner computed."""

    many: float
    one: float
    many_computed: float
    one_computed: float


def measure(folder: Path, project: str, hello: Hello) -> Measured:
    """Deploy to twenty hosts at once and to one of them, in turns; the medians."""
    with machines(HOSTS) as (srv, made):
        many = _fleet(folder / "many", f"{project}-many", hello, srv, made)
        one = _fleet(folder / "one", f"{project}-one", hello, srv, made[:1])
        turns = [(_deploy(many, turn), _deploy(one, turn)) for turn in range(TURNS + 1)][1:]
        many_all, one_all = [a for a, _ in turns], [b for _, b in turns]
        return Measured(
            many=statistics.median(passed for passed, _ in many_all),
            one=statistics.median(passed for passed, _ in one_all),
            many_computed=statistics.median(computed for _, computed in many_all),
            one_computed=statistics.median(computed for _, computed in one_all),
        )


def _fleet(folder: Path, project: str, hello: Hello, srv: Path, made: list[Machine]) -> Fleet:
    folder.mkdir(parents=True)
    shop = fleet_of(folder, project, hello, srv, made, batch="100%", max_parallel=HOSTS)
    for turn in range(TURNS + 1):
        shop.release(f"{project}-{turn}")
    return shop


def _deploy(shop: Fleet, turn: int) -> tuple[float, float]:
    """Seconds that passed, and seconds that the command computed."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = shop.call("deploy", "staging", "--version", f"{shop.project}-{turn}", limit=600)
    assert done.code == 0, done
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, computed
