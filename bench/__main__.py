"""Measure what users wait for, as ratios within one run, and write bench/README.md.

    make bench

Every pair is measured in turns, so that a busy machine slows both sides; the median of the turns counts.
Needs a Docker engine, a registry and sshd (tests/lab/install.sh, tests/lab/engine.sh start).
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import fleet, ledgers, records
from tests.integration.shop import ROOT, START, Shop
from tests.integration.test_ssh import remote_shop
from tests.lab.components import Registry, Sshd, docker, engine_ready, remove_projects
from tests.lab.images import Hello

TURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: ``theirs`` is what it is held against, in seconds; None: nothing."""

    what: str
    ours: float
    theirs: float | None
    aim: str
    met: bool

    @property
    def cells(self) -> tuple[str, ...]:
        against = "" if self.theirs is None else f"{self.theirs:.2f} s"
        relation = ""
        if self.theirs is not None:
            relation = f"{self.ours / self.theirs:.1f}×, {self.ours - self.theirs:+.2f} s"
        return (self.what, f"{self.ours:.2f} s", against, relation, self.aim, "yes" if self.met else "no")


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def run(*argv: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=env)
    if done.returncode:
        sys.exit(f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}")


def pair(ours: Callable[[], object], theirs: Callable[[], object], turns: int = TURNS) -> tuple[float, float]:
    """The medians of both, measured in turns."""
    both = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
    return statistics.median(a for a, _ in both), statistics.median(b for _, b in both)


def help_row() -> Row:
    ours, theirs = pair(
        lambda: run(*START, "--help"), lambda: run(sys.executable, "-I", "-c", "import click"), 15
    )
    what = "`--help`, against `import click`"
    return Row(what=what, ours=ours, theirs=theirs, aim="≤ 2×", met=ours <= 2 * theirs)


def deploy_row(shop: Shop, what: str, aim: float) -> Row:
    """A deploy of a changed stack, against `docker compose up -d --wait` of the same change.

    Both find their images pulled: a registry's speed is not ours.
    """
    shop.services = {"init": {"image": f"{shop.hello.reference('acme/web')}:bare-0"}}
    shop.stack = {"checks": [], "compose": shop.config()["stacks"]["shop"]["compose"] | {"one_shot": []}}
    for turn in range(TURNS + 1):
        for name in (f"ours-{turn}", f"bare-{turn}"):
            shop.release(name)
            for image in ("api", "web"):
                docker("pull", "-q", f"{shop.hello.reference(f'acme/{image}')}:{name}")
    shop.write()
    bare = shop.folder / "bare"
    bare.mkdir()
    turns = iter(range(TURNS + 1))
    state = {"turn": next(turns)}

    def ours() -> None:
        done = shop.call("deploy", "staging", "--version", f"ours-{state['turn']}")
        assert done.code == 0, done

    def theirs() -> None:
        text = (shop.folder / "stacks" / "shop" / "docker-compose.yml").read_text()
        (bare / "docker-compose.yml").write_text(text.replace(":source", f":bare-{state['turn']}"))
        run("docker", "compose", "-p", f"{shop.project}-bare", "up", "-d", "--wait", cwd=bare)
        state["turn"] = next(turns, 0)

    ours()
    theirs()
    mine, bares = pair(ours, theirs)
    remove_projects(shop.project)  # their health checks would slow whatever is measured next
    return Row(what=what, ours=mine, theirs=bares, aim=f"≤ {aim:g} s more", met=mine - bares <= aim)


def ledger_rows(shop: Shop, count: int, where: str, aim: float) -> Iterator[Row]:
    path = shop.records / "stacks" / "shop" / "ledger.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ledgers.ledger(count))
    config = [*START, "check-config", *_config(shop)]
    bare = statistics.median(seconds(lambda: run(*config)) for _ in range(TURNS))
    for what, words in {
        "history": ("history",),
        "verified check": ("promote", "--environment", "production", "--version", "sha-none"),
    }.items():
        argv = [*START, *words, *_config(shop)]

        def ask(argv: list[str] = argv) -> None:
            subprocess.run(argv, capture_output=True, env=shop.environ())

        ours = statistics.median(seconds(ask) for _ in range(TURNS))
        title = f"{what}, {count:,} records, {where}; against `check-config`"
        yield Row(what=title, ours=ours, theirs=bare, aim=f"< {aim:g} s", met=ours < aim)


def _config(shop: Shop) -> tuple[str, str]:
    return ("--config", str(shop.folder / "deploy.yml"))


def action_rows(folder: Path) -> Iterator[Row]:
    """The actions' own starter: installing, and starting when everything is there."""
    starter = ["bash", str(ROOT / "actions" / "_setup" / "start.sh"), "--version"]
    tools = folder / "tools"
    env = {**os.environ, "RUNNER_TOOL_CACHE": str(tools), "RUNNER_TEMP": str(folder)}

    def start() -> None:
        run(*starter, env=env)

    def cold() -> None:
        shutil.rmtree(tools, ignore_errors=True)
        start()

    yield Row(what="installation, cold", ours=seconds(cold), theirs=None, aim="", met=True)
    warm = statistics.median(seconds(start) for _ in range(15))
    yield Row(what="start of an action, installed", ours=warm, theirs=None, aim="< 0.3 s", met=warm < 0.3)


def fleet_rows(folder: Path, project: str, hello: Hello) -> Iterator[Row]:
    found = fleet.measure(folder, project, hello)
    what = f"deploy to {fleet.HOSTS} hosts at once, against one; their engines share this machine"
    yield Row(what=what, ours=found.many, theirs=found.one, aim="≤ 2×", met=found.many <= 2 * found.one)
    apart = found.one + found.many_computed - found.one_computed
    what = "the same, reckoned: one host's time, and what the runner computes more"
    yield Row(what=what, ours=apart, theirs=found.one, aim="≤ 2×", met=apart <= 2 * found.one)
    what = "of that, what the runner computes"
    yield Row(what=what, ours=found.many_computed, theirs=found.one_computed, aim="", met=True)


def record_rows(folder: Path) -> Iterator[Row]:
    for found in records.measure(folder):
        yield Row(what=found.what, ours=found.ours, theirs=found.theirs, aim=found.aim, met=found.met)


@contextmanager
def project() -> Iterator[str]:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        remove_projects(name)


def rows(folder: Path) -> Iterator[Row]:
    yield help_row()
    yield from action_rows(folder)
    with Registry(folder / "registry") as registry, Sshd(folder / "sshd") as sshd, project() as name:
        hello = Hello(registry)
        here = Shop(folder=_made(folder / "local"), project=name, hello=hello)
        yield deploy_row(here, "deploy on this engine, against `up -d --wait`", 1)
        there = remote_shop(_made(folder / "remote"), f"{name}-far", hello, sshd)
        yield deploy_row(there, "deploy over SSH, against `up -d --wait` without", 2)
        yield from fleet_rows(folder / "fleet", name, hello)
        yield from ledger_rows(here, 100_000, "local", 0.3)
        yield from ledger_rows(there, 10_000, "over SSH", 0.3)
        yield from record_rows(folder / "records")


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


HEAD = """# Measurements

Written by `make bench`; repeat it with the same command. Medians of turns taken in one run on one machine, so
read the relations, not the seconds.

"""


def render(table: list[Row]) -> str:
    header = ("What", "Ours", "Theirs", "Relation", "Aim", "Met")
    rows = (header, ("---",) * 6, *(row.cells for row in table))
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    reason = engine_ready()
    if reason:
        sys.exit(f"make bench needs an engine: {reason}")
    with tempfile.TemporaryDirectory() as name:
        table = []
        for row in rows(Path(name)):
            print(*row.cells, sep="  ", flush=True)
            table.append(row)
    (ROOT / "bench" / "README.md").write_text(render(table))


if __name__ == "__main__":
    main()
