import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.records.chain import GENESIS, check, decode, encode

BODIES = st.lists(
    st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers() | st.none(), max_size=4),
    min_size=1,
    max_size=6,
)


def written(bodies: list[dict[str, Any]]) -> list[bytes]:
    lines: list[bytes] = []
    prev = GENESIS
    for seq, body in enumerate(bodies):
        lines.append(encode(body, seq=seq, prev=prev))
        prev = hashlib.sha256(lines[-1][:-1]).hexdigest()
    return lines


def damaged(data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        check(data)
    assert refused.value.reason is Reason.CANNOT_DECIDE


def test_a_line_is_spelt_as_the_contract_says() -> None:
    line = encode({"b": 1, "a": "é"}, seq=3, prev="f" * 64)
    body = b'{"a":"\\u00e9","b":1}'
    assert line == b'{"seq":3,"prev":"%s","id":"%s","body":%s}\n' % (
        b"f" * 64,
        hashlib.sha256(body).hexdigest().encode(),
        body,
    )


@given(BODIES)
def test_what_was_written_is_read_newest_first(bodies: list[dict[str, Any]]) -> None:
    lines = written(bodies)
    chain = check(b"".join(lines))
    assert chain.head == hashlib.sha256(lines[-1][:-1]).hexdigest()
    records = list(chain.newest_first())[::-1]
    assert [dict(record.body) for record in records] == bodies
    assert [record.seq for record in records] == list(range(len(bodies)))
    assert all(json.loads(record.raw)["id"] == record.id for record in records)


@given(BODIES, st.data())
def test_any_edit_of_any_byte_is_found(bodies: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = b"".join(written(bodies))
    at = data.draw(st.integers(0, len(whole) - 2))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    damaged(whole[:at] + bytes([other]) + whole[at + 1 :])


@given(BODIES, st.data())
def test_any_inserted_or_dropped_byte_is_found(
    bodies: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = b"".join(written(bodies))
    at = data.draw(st.integers(0, len(whole) - 2))
    damaged(whole[:at] + whole[at + 1 :])
    damaged(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at:])


@given(BODIES.filter(lambda bodies: len(bodies) > 1), st.data())
def test_a_deleted_doubled_or_moved_line_is_found(
    bodies: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = written(bodies)
    at = data.draw(st.integers(0, len(lines) - 2))
    damaged(b"".join(lines[:at] + lines[at + 1 :]))
    damaged(b"".join([*lines[:at], lines[at], *lines[at:]]))
    damaged(b"".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]))


@given(BODIES.filter(lambda bodies: len(bodies) > 1), st.data())
def test_any_two_lines_that_change_places_are_found(
    bodies: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = written(bodies)
    one, other = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
    lines[one], lines[other] = lines[other], lines[one]
    damaged(b"".join(lines))


@given(st.lists(BODIES, max_size=4))
def test_what_is_added_holds_and_leaves_what_was_there(batches: list[list[dict[str, Any]]]) -> None:
    data = b""
    for bodies in batches:
        before = check(data)
        for body in bodies:
            known = check(data)
            data += encode(body, seq=len(known.lines), prev=known.head)
        after = check(data)
        assert after.lines[: len(before.lines)] == before.lines
        assert (after.torn, len(after.lines)) == (b"", len(before.lines) + len(bodies))


@given(BODIES, st.data())
def test_a_torn_last_line_is_set_apart_and_is_no_damage(
    bodies: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = written(bodies)
    cut = data.draw(st.integers(1, len(lines[-1]) - 1))
    chain = check(b"".join(lines[:-1]) + lines[-1][:cut])
    assert [line + b"\n" for line in chain.lines] == lines[:-1]
    assert chain.torn == lines[-1][:cut]


def test_an_empty_ledger_holds() -> None:
    assert check(b"").lines == ()
    assert check(b"").head == GENESIS


@pytest.mark.parametrize("data", [b"\n", b"{}\n", b"null\n", b"\xff\xfe\n", b"not a ledger\n\n"])
def test_what_is_no_ledger_is_damage(data: bytes) -> None:
    damaged(data)


def test_a_line_of_another_form_is_damage_though_the_chain_holds() -> None:
    cut = written([{"a": 1}])[0][:-3]
    damaged(cut + b"\n" + encode({"b": 2}, seq=1, prev=hashlib.sha256(cut).hexdigest()))


def test_a_body_that_does_not_match_its_id_is_never_read() -> None:
    lines = written([{"result": "FAILED"}, {"x": 1}])
    with pytest.raises(Refusal):
        decode(lines[0][:-1].replace(b"FAILED", b"PASSED"))


def test_records_are_found_by_what_stands_in_their_line() -> None:
    chain = check(b"".join(written([{"a": "x"}, {"a": "y"}, {"a": "x", "b": "z"}])))
    assert [record.seq for record in chain.newest_first('"a":"x"')] == [2, 0]
    assert [record.seq for record in chain.newest_first('"a":"x"', '"b":"z"')] == [2]
    assert [record.seq for record in chain.newest_first('"b":"z"', '"a":"x"')] == [2]
    assert list(chain.newest_first('"a":"nowhere"')) == []


NEEDLES = st.sampled_from(['"', ":", "1", "a", '{"seq":', "},", "\n", '}\n{"seq"'])


@given(BODIES, st.lists(NEEDLES, max_size=3))
def test_a_search_finds_the_same_as_looking_at_every_line(
    bodies: list[dict[str, Any]], needles: list[str]
) -> None:
    lines = [line[:-1] for line in written(bodies)]
    chain = check(b"\n".join([*lines, b""]))
    found = [record.seq for record in chain.newest_first(*needles)]
    wanted = [at for at, line in enumerate(lines) if all(needle.encode() in line for needle in needles)]
    assert found == wanted[::-1]
