"""The ledger in a branch, with a remote in memory; git itself is in tests/integration/test_git_store.py."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records import chain
from ci_lib.records.statement import statement
from ci_lib.stores.git import GitStore
from tests.fakes import FakeClock
from tests.unit.stores.memory_branch import MemoryBranch, MemoryRemote

FIRST = "stacks/shop/000000000/000000000000.jsonl"
SECOND = "stacks/shop/000000000/000000000001.jsonl"


def fails(fault: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise fault

    return fail


def store(branch: MemoryBranch, clock: FakeClock | None = None) -> GitStore:
    return GitStore(branch=branch, clock=clock or FakeClock())


def other(branch: MemoryBranch) -> GitStore:
    """Another writer to the same remote."""
    return store(MemoryBranch(remote=branch.remote))


def numbers(branch: MemoryBranch) -> list[Any]:
    """The `n` of each record that the remote holds, oldest first, if the chain holds."""
    lines = chain.check(other(branch).read("shop")).lines
    return [json.loads(line)["body"]["n"] for line in lines]


def test_each_append_is_a_new_file_and_no_file_is_touched_again() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    first = branch.remote.files[FIRST]
    records = mine.append("shop", {"n": 1}, {"n": 2})
    assert [record.seq for record in records] == [1, 2]
    other(branch).append("shop", {"n": 3})
    assert numbers(branch) == [0, 1, 2, 3]
    assert [*branch.remote.files] == [FIRST, SECOND, "stacks/shop/000000000/000000000003.jsonl"]
    assert branch.remote.files[FIRST] == first


def test_a_folder_holds_a_thousand_files() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", *({"n": n} for n in range(999)))
    mine.append("shop", {"n": 999}, {"n": 1000})
    mine.append("shop", {"n": 1001})
    assert [*branch.remote.files][1:] == [
        "stacks/shop/000000000/000000000999.jsonl", "stacks/shop/000000001/000000001001.jsonl"
    ]
    assert numbers(branch) == [*range(1002)]


def test_stacks_have_chains_of_their_own() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    assert mine.append("shop-2", {"n": 0})[0].seq == 0
    assert mine.append("shop", {"n": 1})[0].seq == 1


def test_a_writer_that_knows_the_branch_needs_a_push_alone() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.read("shop")
    mine.append("shop", {"n": 0})
    mine.append("shop", {"n": 1})
    mine.publish("shop", history=("one\n",))
    assert (branch.fetches, branch.pushes) == (1, 3)


def test_a_lost_race_is_tried_again_and_loses_nothing() -> None:
    branch = MemoryBranch()
    mine, clock = other(branch), FakeClock()
    branch.before = [lambda n=n: mine.append("shop", {"n": n}) for n in "ab"]  # type: ignore[misc]
    assert store(branch, clock).append("shop", {"n": "c"})[0].seq == 2
    assert numbers(branch) == ["a", "b", "c"]
    assert sum(clock.slept) > 0


def test_a_race_that_is_always_lost_ends() -> None:
    branch = MemoryBranch()
    theirs = other(branch)
    branch.before = [lambda: theirs.publish("shop", history=("x\n",))] * 200
    with pytest.raises(Refusal, match="written by others all the time"):
        store(branch).append("shop", {"n": 0})


@pytest.mark.parametrize("fault", [TimedOut("too late"), Unreachable("connection reset")])
def test_a_push_whose_answer_is_lost_is_not_done_twice(fault: PortFault) -> None:
    branch = MemoryBranch(after=[fails(fault)])
    assert store(branch).append("shop", {"n": 0})[0].seq == 0
    assert (numbers(branch), branch.pushes) == ([0], 1)


def test_nor_is_it_when_somebody_has_written_the_very_same_since() -> None:
    branch = MemoryBranch()

    def lost() -> None:
        other(branch).append("shop", {"n": 0})
        raise TimedOut("too late")

    branch.after = [lost]
    mine = store(branch)
    assert mine.append("shop", {"n": 0})[0].seq == 0
    assert mine.append("shop", {"n": 1})[0].seq == 2
    assert numbers(branch) == [0, 0, 1]


def test_the_view_of_a_push_whose_answer_is_lost_has_its_lines_once() -> None:
    branch = MemoryBranch(after=[fails(TimedOut("too late"))])
    store(branch).publish("shop", history=("one\n",))
    assert branch.remote.files["deploy-history.log"] == b"one\n"


def test_a_push_that_never_arrived_is_done_again() -> None:
    branch = MemoryBranch(before=[fails(TimedOut("too late"))])
    store(branch).append("shop", {"n": 0})
    assert (numbers(branch), branch.pushes) == ([0], 2)


def test_where_nobody_can_look_any_more_that_is_what_is_said_and_nothing_is_pushed_again() -> None:
    gone = fails(Unreachable("no route"))
    branch = MemoryBranch(after=[gone], fetching=[lambda: None, *[gone] * 3])
    with pytest.raises(Refusal, match="whether the branch has taken it is not known: no route") as refused:
        store(branch).append("shop", {"n": 0})
    assert refused.value.reason is Reason.CANNOT_DECIDE
    assert (numbers(branch), branch.pushes) == ([0], 1)


def test_a_remote_that_refuses_is_asked_three_times_and_quoted() -> None:
    branch = MemoryBranch(before=[fails(PortFault("[remote rejected] (protected branch)"))] * 9)
    with pytest.raises(Refusal, match=r"\[remote rejected\] \(protected branch\)") as refused:
        store(branch).append("shop", {"n": 0})
    assert refused.value.reason is Reason.CANNOT_DECIDE
    assert branch.pushes == 3


def test_a_remote_that_hangs_is_given_up_before_long() -> None:
    clock = FakeClock()

    def hang() -> None:
        clock.sleep(130)
        raise TimedOut("git push did not end within 30 s")

    branch = MemoryBranch(before=[hang] * 9)
    with pytest.raises(Refusal, match="answers too late"):
        store(branch, clock).append("shop", {"n": 0})
    assert branch.pushes == 1


def test_no_branch_is_an_empty_ledger() -> None:
    assert store(MemoryBranch()).read("shop") == b""


@pytest.mark.parametrize("fault", [Unreachable("no route"), TimedOut("too late"), PortFault("denied")])
def test_no_answer_is_no_empty_ledger(fault: PortFault) -> None:
    for act in (lambda s: s.read("shop"), lambda s: s.append("shop", {"n": 0})):
        branch = MemoryBranch(fetching=[fails(fault)] * 2)
        with pytest.raises(Refusal, match=str(fault)) as refused:
            act(store(branch))
        assert refused.value.reason is Reason.CANNOT_DECIDE
        assert branch.pushes == 0


def test_a_line_that_is_bad_for_a_moment_is_not_the_end() -> None:
    branch = MemoryBranch(fetching=[fails(Unreachable("reset"))])
    assert store(branch).read("shop") == b""
    assert branch.fetches == 2


def test_an_unknown_host_key_stays_what_it_is() -> None:
    for branch in (
        MemoryBranch(fetching=[fails(UnknownHostKey("changed"))] * 2),
        MemoryBranch(before=[fails(UnknownHostKey("changed"))]),
    ):
        with pytest.raises(UnknownHostKey):
            store(branch).append("shop", {"n": 0})


def test_a_branch_that_was_rewritten_while_we_looked_decides_nothing() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    branch.remote.put({}, parent="")
    for act in (lambda: mine.read("shop"), lambda: mine.append("shop", {"n": 1})):
        with pytest.raises(Refusal, match="was rewritten while this run was at work") as refused:
            act()
        assert refused.value.reason is Reason.CANNOT_DECIDE


def test_nor_does_one_that_was_deleted() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    branch.remote.tip = ""
    with pytest.raises(Refusal, match="now is gone does not come after that"):
        mine.read("shop")


@pytest.mark.parametrize("change", ["taken", "edited"])
def test_nor_does_one_from_which_a_record_vanished_or_was_changed_by_a_new_commit(change: str) -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    mine.append("shop", {"n": 1})
    mine.read("shop")
    files = dict(branch.remote.files)
    data = files.pop(SECOND)
    branch.remote.put(files if change == "taken" else files | {SECOND: data.replace(b":1}", b":7}")})
    with pytest.raises(Refusal, match=r"000000000001\.jsonl was changed or removed"):
        mine.append("shop", {"n": 2})


def _with(files: dict[str, bytes], modes: dict[str, str]) -> MemoryBranch:
    branch = MemoryBranch(modes=modes)
    other(branch).append("shop", {"n": 0})
    branch.remote.put({**branch.remote.files, **files})
    return branch



@pytest.mark.parametrize(
    ("name", "data", "mode"),
    [
        ("README.md", b"hello", "100644"),
        ("000000000/000000000001.jsonl", b"/etc/passwd", "120000"),
        ("000000000/000000000001.jsonl", b"#!/bin/sh\n", "100755"),
        ("000000000/000000000001.jsonl", b"", "160000"),
        ("000000000/000000000001.jsonl", b"", "100644"),
        ("000000000/000000000001.jsonl", b"x" * 8_388_609, "100644"),
        ("000000000/000000000001.jsonl", b'{"seq":2,"prev"}\n', "100644"),
        ("000000000/000000000001.jsonl", b'{"seq":1,"prev"', "100644"),
        ("000000001/000000000001.jsonl", b'{"seq":1,"prev"}\n', "100644"),
        ("../000000000001.jsonl", b'{"seq":1,"prev"}\n', "100644"),
        ("000000000/000000000001.jsonl\n", b'{"seq":1,"prev"}\n', "100644"),
        ("000000000/\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660001.jsonl", b"x\n", "100644"),
    ],
)
def test_whatever_is_no_record_among_the_records_decides_nothing(name: str, data: bytes, mode: str) -> None:
    branch = _with({f"stacks/shop/{name}": data}, {f"stacks/shop/{name}": mode})
    for act in (lambda: store(branch).read("shop"), lambda: store(branch).append("shop", {"n": 1})):
        with pytest.raises(Refusal, match="the ledger is damaged") as refused:
            act()
        assert refused.value.reason is Reason.CANNOT_DECIDE
    assert branch.pushes == 0


def test_no_forged_number_lets_an_append_replace_an_older_file() -> None:
    branch = MemoryBranch()
    for n in range(2):
        store(branch).append("shop", {"n": n})
    first = branch.remote.files[FIRST]
    forged = b'{"seq":1,"x"}\n' + chain.encode({"n": 0}, seq=0, prev=chain.GENESIS)
    branch.remote.put({**branch.remote.files, SECOND: forged})
    with pytest.raises(Refusal, match="ends with line number 0"):
        other(branch).append("shop", {"n": 2})
    assert branch.remote.files[FIRST] == first


def test_a_damaged_end_is_not_written_behind() -> None:
    branch = MemoryBranch()
    store(branch).append("shop", {"result": "FAILED"})
    branch.remote.put({FIRST: branch.remote.files[FIRST].replace(b"FAILED", b"PASSED")})
    with pytest.raises(Refusal, match="does not match its id"):
        store(branch).append("shop", {"n": 1})


def test_a_gap_in_the_chain_is_found_by_whoever_checks_it() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    for n in range(3):
        mine.append("shop", {"n": n})
    branch.remote.put({path: data for path, data in branch.remote.files.items() if path != SECOND})
    with pytest.raises(Refusal, match="line 2 does not follow"):
        chain.check(other(branch).read("shop"))


def test_more_than_a_file_may_hold_is_not_written() -> None:
    branch = MemoryBranch()
    with pytest.raises(Refusal, match="more than a file may have"):
        store(branch).append("shop", {"n": "x" * 8_388_608})
    assert branch.remote.tip == ""


def test_the_views_lie_beside_the_records_and_the_log_grows() -> None:
    branch = MemoryBranch()
    mine = store(branch)
    mine.append("shop", {"n": 0})
    mine.publish("shop", history=("one\n", "two\n"), verified="v1")
    other(branch).publish("web", history=("three\n",))
    files = branch.remote.files
    assert files["deploy-history.log"] == b"one\ntwo\nthree\n"
    assert (files["verified/shop.txt"], "verified/web.txt" in files) == (b"v1\n", False)
    assert FIRST in files


def test_no_views_are_no_commit() -> None:
    branch = MemoryBranch()
    store(branch).publish("shop", history=())
    assert (branch.fetches, branch.pushes) == (0, 0)


def test_a_view_that_cannot_be_written_is_a_fault_and_no_refusal() -> None:
    """The engine makes a note of it, and the release is what it is."""
    linked = _with({"deploy-history.log": b"/etc/passwd"}, {"deploy-history.log": "120000"})
    full = MemoryBranch()
    theirs = other(full)
    full.before = [lambda: theirs.publish("shop", history=("x\n",))] * 200
    for branch in (linked, full, MemoryBranch(before=[fails(PortFault("denied"))] * 9)):
        with pytest.raises(PortFault):
            store(branch).publish("shop", history=("x\n",))


def test_a_commit_names_stack_environment_and_kinds_and_starts_no_pipeline() -> None:
    branch = MemoryBranch()
    told = {"environment": "staging", "type": "deploy", "phase": "outcome"}
    store(branch).append("shop", told, {"environment": "staging", "type": "verified", "phase": "outcome"})
    message = branch.remote.history()[0].message
    assert message.startswith("shop staging: deploy outcome, verified outcome\n\n")
    assert "[skip ci]" in message


def test_a_signed_record_is_named_like_any_other() -> None:
    branch = MemoryBranch()
    body = {"environment": "staging", "type": "verified", "phase": "outcome", "stack": "shop"}
    release = {"images": [{"name": "api", "repository": "ghcr.io/acme/api", "digest": f"sha256:{'0' * 64}"}]}
    told = {"result": "PASSED", "time": "2026-01-02T03:04:05Z", "tool": "1", "config_hash": "0" * 64}
    made = statement(body | told | {"release": release}, verifier="u:x")
    signature = {"keyid": f"SHA256:{'A' * 43}", "sig": "AAAA"}
    store(branch).append("shop", {"statement": made, "signatures": [signature]})
    assert branch.remote.history()[0].message.startswith("shop staging: verified outcome\n")


def test_nothing_hostile_gets_into_a_message() -> None:
    branch = MemoryBranch()
    store(branch).append("shop", {"environment": "a\n\nfixes #1 \x1b[31m", "type": "$(id)", "phase": "<x>"})
    subject = branch.remote.history()[0].message.splitlines()[0]
    assert subject == "shop a??fixes??1???31m: ??id? ?x?"


def test_no_two_writes_make_the_same_commit() -> None:
    """Or one of two writers would take the other's for its own, and a record would be lost."""
    made = []
    for _ in range(2):
        branch = MemoryBranch(remote=MemoryRemote())
        store(branch).append("shop", {"n": 0})
        made.append(branch.remote.tip)
    assert made[0] != made[1]
