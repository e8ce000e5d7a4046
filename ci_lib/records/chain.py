"""The hash chain of a ledger: how a line is written, and how a whole ledger is checked.

A line is ``{"seq":N,"prev":"<sha256 of the previous line>","id":"<sha256 of body>","body":{…}}``. Only this
module writes it, so the spelling is fixed and a line that is spelt differently is damage. The hash of a line
covers its bytes without the line feed; the first line's ``prev`` is 64 zeros.

The body of a signed record is a statement (``records/statement.py``), and ``"signatures":[…]`` follows it.
They cover the bytes of the body as they stand in the line, so nothing has to be spelt again to verify them,
and what is searched for is still found in the line's own text.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.records.statement import context, spelt

GENESIS = "0" * 64
_START = b'{"seq":'
_SIGNATURE = rb'\{"keyid":"SHA256:[A-Za-z0-9+/]{43}","sig":"[A-Za-z0-9+/]{1,200}={0,2}"\}'
_LINE = re.compile(
    rb'\{"seq":(?P<seq>\d{1,15}),"prev":"[0-9a-f]{64}","id":"(?P<id>[0-9a-f]{64})","body":(?P<body>\{.*\})'
    rb'(?:,"signatures":(?P<signatures>\[%s(?:,%s)*\]))?\}' % (_SIGNATURE, _SIGNATURE)
)
"""A line that ends with ``]}`` is signed, one that ends with ``}}`` is not: nothing can be read both ways."""


def encode(body: Mapping[str, Any], *, seq: int, prev: str) -> bytes:
    """A ledger line with its line feed; a body with ``signatures`` holds its ``statement`` beside them."""
    signatures = body.get("signatures")
    text = spelt(body["statement"] if signatures else body)
    signed = b',"signatures":%s' % _spelt(signatures) if signatures else b""
    digest = hashlib.sha256(text).hexdigest().encode()
    return b'%s%s","body":%s%s}\n' % (_head(seq, prev), digest, text, signed)


def decode(line: bytes) -> Record:
    """Read one line (without line feed) whose place in the chain was checked; verifies the body's hash."""
    return _read(line, _parts(line))


def _parts(line: bytes) -> re.Match[bytes]:
    """The parts of a line; its body was held against its id."""
    found = _LINE.fullmatch(line)
    if found is None or hashlib.sha256(found["body"]).hexdigest().encode() != found["id"]:
        raise damaged(f"the body of line {line[:12].decode(errors='replace')}… does not match its id")
    return found


def _read(line: bytes, found: re.Match[bytes]) -> Record:
    try:
        made = json.loads(found["body"].decode())
    except (ValueError, RecursionError) as error:
        raise damaged(f"the body of line {line[:12].decode(errors='replace')}… cannot be read") from error
    return Record(
        seq=int(found["seq"]),
        id=found["id"].decode(),
        body=context(made) or made,
        source=line,
        payload=found["body"] if found["signatures"] else b"",
        statement=made if found["signatures"] else {},
        signatures=tuple(json.loads(found["signatures"])) if found["signatures"] else (),
    )


def _unquestioned(record: Record) -> str:
    del record
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A ledger whose chain holds: its whole lines, the hash of the last one, and a torn rest, if any.

    The bytes stay in one piece. A long ledger cut into lines costs more than its hashes do, and what is
    searched for is found faster in one piece too.
    """

    data: bytes
    head: str
    torn: bytes = b""
    flaw: Callable[[Record], str] = field(default=_unquestioned, compare=False)
    """Why a verification does not count, empty when it does: who is trusted is not for the chain to say.

    May raise ``Refusal`` (CANNOT_DECIDE) for one whose signature is broken.
    """

    @property
    def lines(self) -> tuple[bytes, ...]:
        """Each line without its line feed, oldest first."""
        return tuple(self.data.split(b"\n")[:-1])

    def pieces(self, most: int) -> Iterator["Chain"]:
        """The chain cut between lines into at most so many parts, oldest first, of about the same size."""
        size, start = len(self.data) // most + 1, 0
        while start < len(self.data):
            end = self.data.find(b"\n", start + size) + 1 or len(self.data)
            yield replace(self, data=self.data[start:end])
            start = end

    def repeats(self, record: Record) -> bool:
        """Whether the same body stands in an earlier line.

        The number of a line is not signed: whoever may write could hold out an old record as a new one.
        """
        first = self.data.find(f'"id":"{record.id}","body":'.encode())
        return first < self.data.find(f'{{"seq":{record.seq},"prev":'.encode())

    def oldest_first(self, *needles: str) -> Iterator[Record]:
        """The records from the beginning, those whose line contains one of the needles.

        Every line is looked at on the way, and the body of each is held against its id.
        """
        wanted = [needle.encode() for needle in needles]
        for ended in BytesIO(self.data):
            line = ended[:-1]
            found = _parts(line)
            if any(map(line.__contains__, wanted)):
                yield _read(line, found)

    def newest_first(self, *needles: str) -> Iterator[Record]:
        """The records from the end, only those whose line contains every needle.

        The last needle leads: the ledger is searched for it backwards, and only the lines that it stands in
        are looked at any closer. So name the rarest last.
        """
        wanted = [needle.encode() for needle in needles] or [_START]
        end = len(self.data)
        while (found := self.data.rfind(wanted[-1], 0, end)) >= 0:
            end = self.data.rfind(b"\n", 0, found) + 1
            line = self.data[end : self.data.index(b"\n", found)]
            if all(needle in line for needle in wanted):
                yield decode(line)


def check(data: bytes) -> Chain:
    """Check every link; raise ``Refusal`` (CANNOT_DECIDE) at the first that does not hold.

    An unterminated last line is what a killed writer leaves: it is set apart, not damage. A ledger that
    was cut off at the end looks intact from inside; that is why the head is printed in every summary. The
    last line is decoded here too, which checks its body: no other line speaks for it.
    """
    view = memoryview(data)
    prev, number, start = GENESIS, 0, 0
    while (end := data.find(b"\n", start)) >= 0:
        if not (data.startswith(_head(number, prev), start) and data.endswith(b"}", start, end)):
            raise damaged(f"line {number + 1} does not follow from the line before it")
        prev = hashlib.sha256(view[start:end]).hexdigest()
        number, start = number + 1, end + 1
    chain = Chain(data=data[:start], head=prev, torn=data[start:])
    next(chain.newest_first(), None)
    return chain


def damaged(what: str) -> Refusal:
    """The refusal that follows from a broken ledger."""
    return Refusal(
        f"the ledger is damaged: {what}",
        hint="compare it with the heads printed in earlier summaries, restore it from its backup, run again",
        reason=Reason.CANNOT_DECIDE,
    )


def _spelt(signatures: Sequence[Mapping[str, str]]) -> bytes:
    return b"[%s]" % b",".join(spelt(signature) for signature in signatures)


def _head(seq: int, prev: str) -> bytes:
    return f'{{"seq":{seq},"prev":"{prev}","id":"'.encode()
