"""What the stores make of a host's answers; the scripts run in tests/integration/test_stores.py."""

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Lease
from ci_lib.ports.protocols import PortFault, Ran, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records import chain
from ci_lib.stores.directory import DirectoryStore
from ci_lib.stores.state import HostState
from tests.fakes import Call, FakeClock, FakeHost

LEASE = Lease(owner="run-1", holder="abc", until=99, fence=3, since=40)
LEDGER = "/srv/releases/stacks/shop/ledger.jsonl"


def store(host: FakeHost) -> DirectoryStore:
    return DirectoryStore(host=host, path="/srv/releases", clock=FakeClock())


def tail_of(host: FakeHost) -> None:
    """Answer the script that reads a file's size and end."""

    def answer(call: Call) -> Ran:
        data = host.files.get(call.argv[4], b"")
        return Ran(code=0, stdout=f"{len(data)}\n{data.decode()}")

    host.commands["sh", "-c"] = answer


def test_records_are_chained_one_after_the_other() -> None:
    host = FakeHost()
    tail_of(host)
    (first,) = store(host).append("shop", {"n": 1})
    (second,) = store(host).append("shop", {"n": 2})
    held = chain.check(store(host).read("shop"))
    assert [record.id for record in held.newest_first()] == [second.id, first.id]
    assert held.head == second.line


def test_a_lost_race_is_tried_again() -> None:
    host = FakeHost()
    tail_of(host)
    mine = store(host)
    real, lost = host.append, []

    def append(path: str, data: bytes, *, expected_size: int) -> bool:
        if not lost:
            lost.append(path)
            assert real(path, chain.encode({"n": "theirs"}, seq=0, prev=chain.GENESIS), expected_size=0)
        return real(path, data, expected_size=expected_size)

    host.append = append  # type: ignore[method-assign]
    assert mine.append("shop", {"n": "mine"})[0].seq == 1
    assert len(chain.check(mine.read("shop")).lines) == 2


def test_a_race_that_is_always_lost_ends() -> None:
    host = FakeHost()
    tail_of(host)
    host.append = lambda *_, **__: False  # type: ignore[method-assign]
    with pytest.raises(Refusal, match="written by others all the time"):
        store(host).append("shop", {})


def test_a_view_that_cannot_be_written_is_a_fault() -> None:
    host = FakeHost(commands={("sh",): Ran(code=1, stderr="disk full")})
    with pytest.raises(Unreachable, match="disk full"):
        store(host).publish("shop", history=("x\n",))


def test_no_ledger_is_an_empty_one() -> None:
    assert store(FakeHost()).read("shop") == b""


@pytest.mark.parametrize(
    "fault", [Unreachable("no route"), TimedOut("too late"), PortFault("no permission")]
)
def test_a_ledger_that_does_not_answer_is_no_empty_one(fault: PortFault) -> None:
    host = FakeHost(commands={("sh",): fault})
    host.read = lambda path: (_ for _ in ()).throw(fault)  # type: ignore[method-assign]
    for act in (lambda: store(host).read("shop"), lambda: store(host).append("shop", {})):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.reason is Reason.CANNOT_DECIDE
        assert str(fault) in refused.value.message


def test_an_unknown_host_key_stays_what_it_is() -> None:
    host = FakeHost(commands={("sh",): UnknownHostKey("changed")})
    with pytest.raises(UnknownHostKey):
        store(host).append("shop", {})


def test_a_script_that_fails_is_a_ledger_that_does_not_answer() -> None:
    host = FakeHost(commands={("sh",): Ran(code=1, stderr="flock: not found")})
    with pytest.raises(Refusal, match="flock: not found"):
        store(host).append("shop", {})


@pytest.mark.parametrize(
    "damage", [b"rubbish\n", b'{"seq":0}\n', b'{"seq":0,"prev":"' + b"0" * 64 + b'"}\n']
)
def test_nothing_is_appended_to_a_ledger_whose_last_line_is_damaged(damage: bytes) -> None:
    host = FakeHost(files={LEDGER: damage})
    tail_of(host)
    with pytest.raises(Refusal) as refused:
        store(host).append("shop", {})
    assert refused.value.reason is Reason.CANNOT_DECIDE
    assert host.files[LEDGER] == damage


def test_behind_a_line_longer_than_what_is_read_the_chain_goes_on() -> None:
    line = chain.encode({"x": "y" * 200_000}, seq=0, prev=chain.GENESIS)
    host = FakeHost(files={LEDGER: line})
    host.commands["sh",] = Ran(code=0, stdout=f"{len(line)}\n" + line[-131_072:].decode())
    assert store(host).append("shop", {})[0].seq == 1
    assert len(chain.check(host.files[LEDGER]).lines) == 2


def test_the_size_of_a_torn_end_is_counted_from_the_front() -> None:
    """Bytes that are no UTF-8 arrive as other ones, and must not let a good line be cut."""
    good = chain.encode({"n": 1}, seq=0, prev=chain.GENESIS).decode()
    seen: list[tuple[str, ...]] = []

    def answer(call: Call) -> Ran:
        if len(call.argv) > 6:
            seen.append(call.argv[4:])
            return Ran(code=0)
        return Ran(code=0, stdout=f"{len(good) + 2}\n{good}\ufffd\ufffd")  # two bytes, six when encoded

    host = FakeHost(commands={("sh",): answer})
    host.append = lambda path, data, *, expected_size: expected_size == len(good)  # type: ignore[method-assign]
    assert store(host).append("shop", {"n": 2})[0].seq == 1
    assert seen[0][:3] == (LEDGER, str(len(good) + 2), "2")
    assert seen[0][3].endswith("ledger.torn-20260102T030405")


@pytest.mark.parametrize("printed", ["", "\n", "run-1\nabc\n99\n"])
def test_a_lock_that_is_free_has_no_holder(printed: str) -> None:
    assert (
        HostState(host=FakeHost(commands={("sh",): Ran(code=0, stdout=printed)}), folder="/s").peek()
        is None
    )


def test_a_held_lock_names_its_holder() -> None:
    host = FakeHost(commands={("sh",): Ran(code=0, stdout="run-1\nabc\n99\n3\n40\n")})
    assert HostState(host=host, folder="/s").peek() == LEASE


def test_exit_code_3_is_an_answer_and_any_other_a_fault() -> None:
    host = FakeHost(commands={("sh",): Ran(code=3)})
    state = HostState(host=host, folder="/s")
    assert state.acquire("run-2", seconds=10) is None
    with pytest.raises(Refusal) as refused:
        state.note(LEASE, {"event": "start"}, seconds=1)
    assert refused.value.reason is Reason.LOST_LOCK
    host.commands["sh",] = Ran(code=1, stderr="disk full")
    for act in (
        lambda: state.acquire("run-2", seconds=10),
        lambda: state.begin(LEASE, {}, seconds=1),
        lambda: state.release(LEASE),
        state.peek,
    ):
        with pytest.raises(Unreachable, match="disk full"):
            act()


def test_nothing_from_outside_becomes_part_of_a_script() -> None:
    host = FakeHost(commands={("sh",): Ran(code=3)})
    HostState(host=host, folder="/s/$(rm)").acquire("run-2; rm -rf /", seconds=10)
    argv = host.calls[0].argv
    assert "run-2" not in argv[2]
    assert "$(rm)" not in argv[2]
    assert argv[4:6] == ("/s/$(rm)", "run-2; rm -rf /")


def test_a_torn_last_line_of_the_journal_is_left_out() -> None:
    host = FakeHost(files={"/s/journal.jsonl": b'{"event":"begin"}\n{"event":"sta'})
    assert HostState(host=host, folder="/s").journal() == ({"event": "begin"},)
    assert HostState(host=FakeHost(), folder="/s").journal() == ()
