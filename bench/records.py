"""A ledger of 100,000 records: looking all of it through, and adding one more.

Needs git, and no engine:

    python -m bench.records
"""

import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import ledgers
from ci_lib.ports.git_access import Access
from ci_lib.ports.git_branch import GitBranch
from ci_lib.ports.local import LocalHost
from ci_lib.ports.system import SystemClock
from ci_lib.records import chain
from ci_lib.signing.keys import new_key, public_of
from ci_lib.stores.directory import DirectoryStore
from ci_lib.stores.git import GitStore
from ci_lib.stores.record_files import path_of
from tests.integration.shop import START
from tests.lab.git import bare, git

COUNT = 100_000
SHARES = (0, 10, 30)
"""Signed lines of a hundred."""
APPENDS = 10
"""Records that are added in one turn, one by one."""
TURNS = 3
AIM = 0.02
"""Seconds that an append may take beside the store's own cost."""
_BRANCH = "deploy-records"
_REF = f"refs/heads/{_BRANCH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of ours and of what it is held against; ``met``: whether the aim is."""

    what: str
    ours: float
    theirs: float
    aim: str
    met: bool


def measure(folder: Path) -> Iterator[Measured]:
    """Every measurement, in a folder of its own."""
    private = new_key()
    folder.mkdir(parents=True, exist_ok=True)
    for share in SHARES:
        data = ledgers.ledger(COUNT, signed=share, private=private)
        yield _verify(folder / f"signed-{share}", data, share, public_of(private))
    yield _append_to_file(folder / "file", data)
    yield _append_to_branch(folder / "branch", data)


def _verify(folder: Path, data: bytes, share: int, public: str) -> Measured:
    """``records verify``, against ``check-config``, which starts and reads deploy.yml as it does."""
    _stack(folder)
    path = folder / "records" / "stacks" / "shop" / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    (folder / "records" / "deploy-history.log").write_text(ledgers.history(COUNT))
    (folder / "records" / "verified").mkdir()
    (folder / "records" / "verified" / "shop.txt").write_text(f"{ledgers.newest_version(COUNT)}\n")
    key = {"public_key": public, "verifier": ledgers.VERIFIER, "environments": ["staging"]}
    env = {**os.environ, "DEPLOY_ACTIONS_POLICY": json.dumps({"version": 1, "keys": [key] if share else []})}
    config = ("--config", str(folder / "deploy.yml"))
    ours, theirs = _in_turns(
        lambda: _run([*START, "records", "verify", "--stack", "shop", *config], env),
        lambda: _run([*START, "check-config", *config], env),
    )
    what = f"records verify, {COUNT:,} records, {share} % signed, local; against `check-config`"
    return Measured(what=what, ours=ours, theirs=theirs, aim="< 3 s", met=ours < 3)


def _append_to_file(folder: Path, data: bytes) -> Measured:
    """Each time as a run does that has not read the ledger, against a locked append and fsync."""
    path, other = folder / "stacks" / "shop" / "ledger.jsonl", folder / "bare.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    other.write_bytes(data)
    line = data[data.rindex(b"\n", 0, -1) + 1 :]
    host, clock = LocalHost("here"), SystemClock()

    def ours() -> None:
        for _ in range(APPENDS):
            DirectoryStore(host=host, path=str(folder), clock=clock).append("shop", ledgers.body(0))

    def theirs() -> None:
        for _ in range(APPENDS):
            with other.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    return _appended("in a file; against a locked append and fsync", ours, theirs)


def _append_to_branch(folder: Path, data: bytes) -> Measured:
    """Both know the branch's newest commit, as a run does that has asked the ledger before.

    Theirs is a commit with one file by ``fast-import``, and a push.
    """
    remote, other, clone = bare(_made(folder / "a.git")), bare(_made(folder / "b.git")), folder / "clone.git"
    for repository in (remote, other):
        git(repository, "fast-import", "--quiet", "--force", stdin=_import(data))
    git(folder, "clone", "--quiet", "--bare", "--depth=1", "--branch", _BRANCH, other.as_uri(), clone.name)
    numbers = iter(range(COUNT, 10 * COUNT))
    with GitBranch(_BRANCH, Access(folder=str(folder), url=str(remote))) as branch:
        store = GitStore(branch=branch, clock=SystemClock())
        store.append("shop", ledgers.body(0))

        def ours() -> None:
            for _ in range(APPENDS):
                store.append("shop", ledgers.body(0))

        def theirs() -> None:
            for _ in range(APPENDS):
                number = next(numbers)
                line = chain.encode(ledgers.body(0), seq=number, prev=chain.GENESIS)
                stream = _commit("a record", {path_of("shop", number): line}, parent=f"{_REF}^0")
                git(clone, "fast-import", "--quiet", "--force", stdin=stream)
                git(clone, "push", "--quiet", "origin", f"{_REF}:{_REF}")

        return _appended("in a branch; against `fast-import` and `push`", ours, theirs)


def _appended(where: str, ours: Callable[[], None], theirs: Callable[[], None]) -> Measured:
    mine, bares = _in_turns(ours, theirs)
    most = AIM * APPENDS
    what = f"{APPENDS} appends to {COUNT:,} records {where}"
    return Measured(what=what, ours=mine, theirs=bares, aim=f"≤ {most:g} s more", met=mine - bares <= most)


def _import(data: bytes) -> bytes:
    """The ledger as a branch has it, three lines in a file, as ``fast-import`` reads it."""
    lines = data.splitlines(keepends=True)
    return _commit(
        "all records", {path_of("shop", seq): b"".join(lines[seq : seq + 3]) for seq in range(0, COUNT, 3)}
    )


def _commit(message: str, files: dict[str, bytes], parent: str = "") -> bytes:
    parts = [f"commit {_REF}\ncommitter Kim <kim@example.org> 1769767200 +0000\n".encode()]
    parts.append(b"data %d\n%s\n" % (len(message), message.encode()))
    parts.append(f"from {parent}\n".encode() if parent else b"")
    parts += [
        b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(held), held)
        for name, held in files.items()
    ]
    return b"".join(parts)


def _stack(folder: Path) -> None:
    """A deploy.yml that says where the ledger is; nothing of it is ever deployed."""
    config = {
        "version": 1,
        "records": {"store": "directory", "path": "records"},
        "hosts": {"here": {"local": True}},
        "environments": {"staging": {"tier": "staging", "owner": "team-shop", "hosts": ["here"]}},
        "stacks": {
            "shop": {
                "target": "process",
                "process": {"services": {"api": {"command": ["true"]}}},
                "images": {"api": {"repository": "registry.example/acme/api", "services": ["api"]}},
                "checks": [{"name": "serves", "type": "script", "command": ["true"]}],
            }
        },
    }
    _made(folder)
    (folder / "deploy.yml").write_text(json.dumps(config))


def _in_turns(ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, float]:
    both = [(_seconds(ours), _seconds(theirs)) for _ in range(TURNS)]
    return statistics.median(a for a, _ in both), statistics.median(b for _, b in both)


def _seconds(call: Callable[[], None]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _run(argv: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}")


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for found in measure(Path(name) / "records"):
            print(f"{found.what}: {found.ours:.2f} s, {found.theirs:.2f} s; {found.aim}", flush=True)
