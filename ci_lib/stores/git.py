"""The ledger in a branch of a git remote.

The lines are those of every ledger; ``record_files.py`` says in which files they lie. Writers agree by
pushing only onto the commit that they have seen, so that a lost race is tried again and nothing is
overwritten. ``deploy-history.log`` and ``verified/<stack>.txt`` in the same branch are views for people.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from ci_lib.domain.branch import Branch, BranchFile
from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record, Still, Views
from ci_lib.ports.protocols import Clock, PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records import chain
from ci_lib.stores.branch_head import Change, Head
from ci_lib.stores.chained import chained
from ci_lib.stores.record_files import (
    LARGEST,
    folder_of,
    in_order,
    joined,
    newest_thousand,
    number_of,
    path_of,
)

_LOG: Final = "deploy-history.log"
_LOG_LIMIT: Final = 67_108_864


class GitStore:
    """``Store`` on a branch."""

    def __init__(self, *, branch: Branch, clock: Clock) -> None:
        self._branch = branch
        self._head = Head(branch=branch, clock=clock)
        self._seen: dict[str, dict[str, BranchFile]] = {}
        self._read: dict[str, str] = {}
        """Of each stack the commit whose lines were read last."""

    def read(self, stack: str) -> bytes:
        """All lines of the ledger; a line is there whole or not at all."""
        try:
            return self._lines(self._head.newest(), stack)
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._undecided(fault) from fault

    def _lines(self, tip: str, stack: str) -> bytes:
        files = self._branch.files(tip, folder_of(stack)) if tip else {}
        self._compare(stack, files)
        names = in_order(files)
        lines = joined(names, self._branch.read([files[name].id for name in names]))
        self._read[stack] = tip
        return lines

    def append(
        self, stack: str, *bodies: Mapping[str, Any], still: Still | None = None
    ) -> tuple[Record, ...]:
        """Append to the chain; tried again as long as somebody else is faster."""

        def change(tip: str) -> Change:
            if still is not None and self._read.get(stack) != tip:
                still(self._lines(tip, stack))
            seq, prev = self._end(tip, stack)
            records = chained(bodies, seq=seq, prev=prev)
            data = "".join(f"{record.raw}\n" for record in records).encode()
            if len(data) > LARGEST:
                raise PortFault(f"records of {len(data)} bytes are more than a file may have ({LARGEST})")
            files = {path_of(stack, seq): data}
            return Change(files=files, message=_message(stack, records), records=records)

        try:
            return self._head.change(change).records
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._undecided(fault) from fault

    def publish(self, stack: str, *, history: tuple[str, ...], verified: str = "") -> None:
        """The log that all stacks share, and the version that production may take, in one commit."""

        def change(tip: str) -> Change:
            files = {f"verified/{stack}.txt": f"{verified}\n".encode()} if verified else {}
            if history:
                files[_LOG] = self._view(tip, _LOG) + "".join(history).encode()
            return Change(files=files, message=_signed(f"{stack}: text views"))

        if not history and not verified:
            return
        try:
            self._head.change(change)
        except Refusal as refused:
            raise Unreachable(f"could not write the views: {refused.message}") from refused

    def views(self, stack: str) -> Views:
        """The text views."""
        try:
            tip = self._head.newest()
            name = f"verified/{stack}.txt"
            return Views(history=self._text(tip, _LOG), verified=self._text(tip, name))
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._undecided(fault) from fault

    def _text(self, tip: str, name: str) -> str:
        return self._view(tip, name).decode(errors="replace")

    def _compare(self, stack: str, files: Mapping[str, BranchFile], *, since: str = "") -> None:
        """The files that we have seen before must be there as they were, from the name ``since`` on."""
        seen = self._seen.setdefault(stack, {})
        for name, file in seen.items():
            if name >= since and files.get(name) != file:
                raise chain.damaged(f"{name} was changed or removed while this run was at work")
        seen.update(files)

    def _newest_files(self, tip: str, stack: str) -> Mapping[str, BranchFile]:
        """The ledger's files in its newest folder: an append need not know the others."""
        folder = folder_of(stack)
        newest = newest_thousand(self._branch.entries(tip, folder)) if tip else ""
        found = self._branch.entries(tip, f"{folder}/{newest}") if newest else {}
        if newest and not found:
            raise chain.damaged(f"its newest folder {newest} is empty")
        files = {f"{newest}/{name}": file for name, file in found.items()}
        self._compare(stack, files, since=newest)
        return files

    def _end(self, tip: str, stack: str) -> tuple[int, str]:
        """Number and ``prev`` of the line to come."""
        files = self._newest_files(tip, stack)
        names = in_order(files)[-1:]
        if not names:
            return 0, chain.GENESIS
        data = joined(names, self._branch.read([files[names[0]].id]))
        last = chain.decode(data[:-1].rpartition(b"\n")[2])
        if last.seq < number_of(names[0]):  # what we append would take the place of an older file
            raise chain.damaged(f"{names[0]} ends with line number {last.seq}")
        return last.seq + 1, last.line

    def _view(self, tip: str, name: str) -> bytes:
        file = self._branch.find(tip, name) if tip else None
        if file is None:
            return b""
        if not file.plain or file.size > _LOG_LIMIT:
            raise PortFault(f"{name} in the branch is no file of ours (mode {file.mode}, {file.size} bytes)")
        return self._branch.read([file.id])[0]

    def _undecided(self, fault: PortFault) -> Refusal:
        slow = "answers too late" if isinstance(fault, TimedOut) else "cannot be used"
        return Refusal(
            f"the ledger in the {self._branch.name} {slow}: {fault}",
            hint="check `records:` in deploy.yml, the remote, and what its login may do; without the ledger "
            "nothing can be decided",
            reason=Reason.CANNOT_DECIDE,
        )


def _message(stack: str, records: tuple[Record, ...]) -> str:
    """What the commit is called: stack, environments, and what kinds of records it brings."""
    environments = dict.fromkeys(_word(record.text("environment")) for record in records)
    kinds = dict.fromkeys(f"{_word(record.text('type'))} {_word(record.text('phase'))}" for record in records)
    return _signed(f"{stack} {' '.join(environments)}: {', '.join(kinds)}")


def _signed(subject: str) -> str:
    """The whole message. The last line makes two commits differ that are alike in all else.

    Else the second of two writers would take the commit of the first for its own. No pipeline need run for
    records: GitHub and GitLab both know those words.
    """
    told = "Written by deploy-actions, for it to read. [skip ci]"
    return f"{subject[:200]}\n\n{told}\n\nWrite: {secrets.token_hex(8)}\n"


def _word(text: str) -> str:
    """A field of a record, as a message may show it: it may come from a journal that others wrote to."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", text)[:63]
