"""Ledger, lock and journal on this machine's real files: the scripts, `flock`, and many writers at once."""

import json
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Lease, in_time, lost_lock
from ci_lib.ports.local import LocalHost
from ci_lib.ports.protocols import Ran
from ci_lib.ports.system import SystemClock
from ci_lib.records import chain
from ci_lib.stores.directory import DirectoryStore
from ci_lib.stores.state import HostState

WRITERS, EACH = 6, 8


def store(folder: Path) -> DirectoryStore:
    return DirectoryStore(host=LocalHost("here"), path=str(folder), clock=SystemClock())


def state(folder: Path) -> HostState:
    return HostState(host=LocalHost("here"), folder=str(folder / "run" / ".deploy-actions"))


def taken(mine: HostState, owner: str = "run-1", seconds: float = 60, instead_of: str = "") -> Lease:
    lease = mine.acquire(owner, seconds=seconds, instead_of=instead_of)
    assert lease is not None
    return lease


def _write(folder: str, writer: int) -> None:
    for number in range(EACH):
        store(Path(folder)).append("shop", {"writer": writer, "number": number})
        store(Path(folder)).publish("shop", history=(f"{writer} {number}\n",))


def test_many_processes_lose_nothing_and_keep_one_chain(tmp_path: Path) -> None:
    with ProcessPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(_write, str(tmp_path), writer) for writer in range(WRITERS)]:
            done.result(timeout=120)
    held = chain.check(store(tmp_path).read("shop"))
    found = {(record.body["writer"], record.body["number"]) for record in held.newest_first()}
    assert len(held.lines) == len(found) == WRITERS * EACH
    assert len((tmp_path / "deploy-history.log").read_text().splitlines()) == WRITERS * EACH


@pytest.mark.parametrize("torn", [b'{"seq":1,"prev":"ab', b"\x00" * 50, b"\xff\xfe\xff" * 7, b"}"])
def test_a_torn_line_is_set_aside_and_the_chain_goes_on(tmp_path: Path, torn: bytes) -> None:
    mine = store(tmp_path)
    mine.append("shop", {"n": 1})
    folder = tmp_path / "stacks" / "shop"
    with (folder / "ledger.jsonl").open("ab") as file:
        file.write(torn)
    assert chain.check(mine.read("shop")).torn == torn
    assert mine.append("shop", {"n": 2})[0].seq == 1
    held = chain.check(mine.read("shop"))
    assert (len(held.lines), held.torn) == (2, b"")
    (aside,) = folder.glob("ledger.torn-*")
    assert re.fullmatch(r"ledger\.torn-\d{8}T\d{6}", aside.name)
    assert aside.read_bytes() == torn


def test_a_ledger_that_is_nothing_but_torn_begins_again(tmp_path: Path) -> None:
    folder = tmp_path / "stacks" / "shop"
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl").write_bytes(b'{"seq":0')
    assert store(tmp_path).append("shop", {"n": 1})[0].seq == 0
    assert len(list(folder.glob("ledger.torn-*"))) == 1


def test_a_ledger_beyond_what_is_read_of_its_end_goes_on(tmp_path: Path) -> None:
    mine = store(tmp_path)
    for number in range(3):
        mine.append("shop", {"n": number, "x": "x" * 600_000})
    with (tmp_path / "stacks" / "shop" / "ledger.jsonl").open("ab") as file:
        file.write(b"\xfftorn")
    assert mine.append("shop", {"n": 3})[0].seq == 3
    assert len(chain.check(mine.read("shop")).lines) == 4


def test_an_edited_end_stops_the_writer(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.append("shop", {"result": "FAILED"})
    path = tmp_path / "stacks" / "shop" / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"FAILED", b"PASSED"))
    with pytest.raises(Refusal) as refused:
        store(tmp_path).append("shop", {})
    assert refused.value.reason is Reason.CANNOT_DECIDE


def test_a_folder_that_cannot_be_written_is_no_empty_ledger(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    broken = store(tmp_path / "file" / "records")
    for act in (lambda: broken.append("shop", {}), lambda: broken.read("shop")):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.reason is Reason.CANNOT_DECIDE


def test_views_are_where_people_look_for_them(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.publish("shop", history=("one\n", "two\n"), verified="v1")
    assert (tmp_path / "deploy-history.log").read_text() == "one\ntwo\n"
    assert (tmp_path / "verified" / "shop.txt").read_text() == "v1\n"


def test_the_folder_of_a_new_ledger_can_be_looked_into(tmp_path: Path) -> None:
    mine = store(tmp_path / "records")
    assert mine.read("shop") == b""
    mine.append("shop", {"n": 1}, {"n": 2})
    mine.publish("shop", history=("one\n",), verified="v1")
    for path in ("records", "records/verified", "records/stacks", "records/stacks/shop"):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o755, path
    for path in ("deploy-history.log", "verified/shop.txt"):
        assert (tmp_path / "records" / path).stat().st_mode & 0o777 == 0o644, path


def test_looking_at_a_lock_leaves_no_trace(tmp_path: Path) -> None:
    assert state(tmp_path).peek() is None
    assert state(tmp_path).journal() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_belongs_to_one_owner_until_it_is_given_back(tmp_path: Path) -> None:
    mine = state(tmp_path)
    lease = taken(mine)
    assert mine.peek() == lease
    assert mine.acquire("run-2", seconds=60) is None
    mine.release(lease)
    assert mine.peek() is None
    assert taken(mine, "run-2").fence == lease.fence + 1


def test_the_same_owner_and_the_heir_of_a_dead_one_take_it_at_once(tmp_path: Path) -> None:
    mine = state(tmp_path)
    first = taken(mine)
    second = taken(mine)
    third = taken(mine, "run-2", instead_of=second.holder)
    assert [first.fence, second.fence, third.fence] == [1, 2, 3]
    assert mine.acquire("run-3", seconds=60, instead_of=first.holder) is None


def test_a_lease_ends_by_itself(tmp_path: Path) -> None:
    mine = state(tmp_path)
    taken(mine, seconds=1)
    assert mine.acquire("run-2", seconds=60) is None
    time.sleep(2.1)
    assert mine.peek() is None
    taken(mine, "run-2")


def test_who_lost_the_lock_writes_no_line_and_frees_nothing(tmp_path: Path) -> None:
    mine = state(tmp_path)
    old = taken(mine)
    mine.begin(old, {"event": "begin"}, seconds=60)
    new = taken(mine, "run-2", instead_of=old.holder)
    for act in (
        lambda: mine.note(old, {"event": "start"}, seconds=60),
        lambda: mine.begin(old, {"event": "begin", "n": 2}, seconds=60),
    ):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.reason is Reason.LOST_LOCK
    mine.release(old)
    assert mine.peek() == new
    assert mine.journal() == ({"event": "begin"},)


def test_each_line_of_the_journal_holds_the_lease_for_its_step(tmp_path: Path) -> None:
    mine = state(tmp_path)
    lease = taken(mine, seconds=5)
    mine.begin(lease, {"event": "begin"}, seconds=600)
    held = mine.peek()
    assert held is not None
    assert held.until >= lease.until + 500
    mine.note(lease, {"event": "start", "step": 0}, seconds=30)
    held = mine.peek()
    assert held is not None
    assert held.until < lease.until + 100


def test_a_journal_survives_hostile_text_and_a_torn_line(tmp_path: Path) -> None:
    mine = state(tmp_path)
    lease = taken(mine)
    hostile = {"event": "begin", "text": "$(touch x) `id` '\"\\ \n\x00 é \u2028 %s"}
    mine.begin(lease, hostile, seconds=60)
    with (tmp_path / "run" / ".deploy-actions" / "journal.jsonl").open("ab") as file:
        file.write(b'{"event":"sta')
    assert mine.journal() == (hostile,)
    mine.note(lease, {"event": "end"}, seconds=60)
    assert mine.journal() == (hostile, {"event": "end"})


def test_a_line_that_did_not_arrive_completely_is_not_written(tmp_path: Path) -> None:
    class Cut(LocalHost):
        def run(self, argv: Sequence[str], *, stdin: bytes = b"", **more: Any) -> Ran:
            return super().run(argv, stdin=stdin[: len(stdin) // 2], **more)

    mine = state(tmp_path)
    lease = taken(mine)
    mine.begin(lease, {"event": "begin"}, seconds=60)
    cut = HostState(host=Cut("here"), folder=str(tmp_path / "run" / ".deploy-actions"))
    for act in (cut.note, cut.begin):
        with pytest.raises(Exception, match="did not arrive completely"):
            act(lease, {"event": "end", "more": "x" * 100}, seconds=60)
    assert mine.journal() == ({"event": "begin"},)


def test_a_very_long_plan_fits_into_the_journal(tmp_path: Path) -> None:
    mine = state(tmp_path)
    lease = taken(mine)
    entry = {"event": "begin", "plan": ["x" * 1000] * 3000}
    mine.begin(lease, entry, seconds=60)
    assert json.dumps(mine.journal()[0]) == json.dumps(entry)


def test_settling_waits_for_a_command_that_is_still_at_work(tmp_path: Path) -> None:
    mine = state(tmp_path)
    taken(mine)
    assert mine.settle(seconds=1)
    busy = str(tmp_path / "run" / ".deploy-actions" / "busy")
    worker = threading.Thread(
        target=lambda: LocalHost("here").run(["flock", busy, "sleep", "3"], timeout=10)
    )
    worker.start()
    time.sleep(0.5)
    assert not mine.settle(seconds=1)
    assert mine.settle(seconds=10)
    worker.join()


def _take(folder: str, number: int) -> bool:
    return state(Path(folder)).acquire(f"run-{number}", seconds=60) is not None


def test_of_many_processes_exactly_one_gets_the_lock(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        won = list(pool.map(_take, [str(tmp_path)] * 16, range(16)))
    assert won.count(True) == 1


def fenced(mine: HostState, *argv: str, stdin: bytes = b"") -> Ran:
    """A command as the targets begin one."""
    return in_time(LocalHost("here").run((*mine.fence(), *argv), stdin=stdin, timeout=10))


def test_a_command_begins_under_the_lock_with_its_input_and_ends_as_it_ends(tmp_path: Path) -> None:
    mine = state(tmp_path)
    assert mine.fence() == (), "what takes no lock needs none"
    taken(mine)
    assert fenced(mine, "cat", stdin=b"x\n y").stdout == "x\n y"
    assert fenced(mine, "sh", "-c", 'echo "$1" >&2; exit 76', "sh", "a  b") == Ran(code=76, stderr="a  b\n")


@pytest.mark.parametrize("how", ["taken over", "given back", "gone", "its time is over, and it was taken"])
def test_no_command_begins_once_the_lock_is_not_ours(tmp_path: Path, how: str) -> None:
    mine, other = state(tmp_path), state(tmp_path)
    lease = taken(mine, seconds=60)
    file = tmp_path / "run" / ".deploy-actions" / "lease"
    if how == "taken over":
        taken(other, "run-2", instead_of=lease.holder)
    elif how == "given back":
        mine.release(lease)
    elif how == "gone":
        file.unlink()
    else:
        file.write_text(file.read_text().replace(str(lease.until), "1"))
        assert fenced(mine, "true").ok, "nobody has it yet: whoever takes it waits for what runs"
        taken(other, "run-2")
    with pytest.raises(Refusal) as refused:
        fenced(mine, "touch", str(tmp_path / "changed"))
    assert refused.value.reason is Reason.LOST_LOCK
    assert not (tmp_path / "changed").exists()


def test_a_lease_of_a_version_that_knew_no_since_is_read(tmp_path: Path) -> None:
    mine = state(tmp_path)
    lease = taken(mine)
    file = tmp_path / "run" / ".deploy-actions" / "lease"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:4]))
    held = mine.peek()
    assert held is not None
    assert (held.owner, held.fence, held.since) == ("run-1", lease.fence, 0)
    assert taken(mine).fence == lease.fence + 1


def test_records_are_added_only_as_long_as_the_ledger_allows_it(tmp_path: Path) -> None:
    mine, other = store(tmp_path), store(tmp_path)
    asked: list[bytes] = []

    def refuse(data: bytes) -> None:
        asked.append(data)
        raise lost_lock()

    mine.append("shop", {"n": 1})
    mine.append("shop", {"n": 2}, still=refuse)
    assert not asked, "nobody else has written"
    other.append("shop", {"n": 3})
    with pytest.raises(Refusal):
        mine.append("shop", {"n": 4}, still=refuse)
    with pytest.raises(Refusal):
        store(tmp_path).append("shop", {"n": 4}, still=refuse)
    assert [len(data.splitlines()) for data in asked] == [3, 3]
    assert len(mine.append("shop", {"n": 4}, still=lambda data: None)) == 1
    assert len(chain.check(mine.read("shop")).lines) == 4
