"""A whole ledger looked through: chain, signatures, and the text views that are made of it. Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.store import Record, Views
from ci_lib.ports.protocols import Workers
from ci_lib.records import proofs
from ci_lib.records.bodies import APPROVAL, REVOKED, VERIFIED
from ci_lib.records.chain import Chain, damaged
from ci_lib.records.views import history_lines, revocation_line

Names = Callable[[str], tuple[str, str]]
"""How the log calls the stack and an environment."""

_SHOWN = 3
_SPEAKS = ('"phase":"outcome"', *(f'"type":"{kind}"' for kind in (VERIFIED, REVOKED, APPROVAL)))
"""One of these stands in each line that is looked into: an intent speaks for nothing here.

Readers find what counts by its type alone, so a forger may leave the phase out or call it what he likes.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found: ``rows`` tell it, ``records`` is the number of lines, ``head`` the hash of the last."""

    records: int
    head: str
    rows: tuple[CheckResult, ...]


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the records say: gathered record by record, for a long ledger's would not all fit into memory."""

    expected: Counter[str] = field(default_factory=Counter)
    """The lines of the log, and how often each."""
    stacks: set[str] = field(default_factory=set)
    """How the log calls this stack; an environment may have its own name for it."""
    asked: int = 0
    """Verifications and approvals."""
    signed: int = 0
    flaws: list[str] = field(default_factory=list)
    newest: Record | None = None
    """The newest record that changes which version is verified."""

    def add(self, later: "_Told") -> None:
        """Take in what later records say."""
        self.expected.update(later.expected)
        self.stacks |= later.stacks
        self.asked += later.asked
        self.signed += later.signed
        self.flaws += later.flaws
        self.newest = later.newest or self.newest


def audit(chain: Chain, views: Views, names: Names, *, workers: Workers, at_once: int) -> Audit:
    """Look through a ledger whose chain holds, cut into ``at_once`` pieces.

    Raises ``Refusal`` (CANNOT_DECIDE) for a signature that does not fit, and for a line that is none of ours;
    ``PortFault`` where a piece could not be looked through.
    """
    told = _Told()
    jobs = [partial(_listened, piece, names) for piece in chain.pieces(at_once)]
    for found in workers.run(jobs, at_once=at_once):
        if isinstance(found, Exception):
            raise found
        told.add(found)
    count = chain.data.count(b"\n")
    rows = (
        _row("chain", f"{count} records, each follows from the one before", "whole"),
        _signatures(told),
        _log(told, views.history),
        _verified(told.newest, chain, views.verified),
    )
    return Audit(records=count, head=chain.head, rows=rows)


def _listened(piece: Chain, names: Names) -> _Told:
    told = _Told()
    for record in piece.oldest_first(*_SPEAKS):
        _listen(told, record, piece, names)
    return told


def _listen(told: _Told, record: Record, chain: Chain, names: Names) -> None:
    """Take in what one record says."""
    kind = record.text("type")
    try:
        stack, environment = names(record.text("environment"))
        told.expected.update(_lines(record, stack, environment))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise damaged(f"a record is none of ours: {type(error).__name__}: {error}") from error
    told.stacks.add(stack)
    if kind in (VERIFIED, APPROVAL):
        told.asked += 1
        told.signed += bool(record.signatures)
        if flaw := chain.flaw(record):
            told.flaws.append(f"{record.id[:12]}: {flaw}")
    if kind == REVOKED or (kind == VERIFIED and record.text("result") == "PASSED"):
        told.newest = record


def _lines(record: Record, stack: str, environment: str) -> tuple[str, ...]:
    if "status" in record.body:
        return history_lines(record.body, stack=stack, environment=environment)
    if record.text("type") == REVOKED:
        return (revocation_line(record.body, stack=stack, environment=environment),)
    return ()


def _signatures(told: _Told) -> CheckResult:
    """Every verification and approval: those that do not count are named, and are no damage."""
    value = f"{told.signed} of {told.asked} verifications and approvals are signed"
    if not told.flaws:
        return _row("signatures", value, "each that is there fits")
    some = "; ".join(told.flaws[-_SHOWN:])
    value = f"{value}; {len(told.flaws)} do not count, such as {some}"
    return CheckResult(name="signatures", mark=Mark.WARNED, value=value, bound="each counts")


def _log(told: _Told, text: str) -> CheckResult:
    """The lines of this stack; other stacks write to the same log.

    Their order is that in which runs of different environments came to write, and a run that was killed may
    have left one out or written it twice. What the records do not say at all is somebody else's.
    """
    ours = Counter(line for line in text.splitlines(keepends=True) if _stack(line) in told.stacks)
    wanted = told.expected
    bound = f"{wanted.total()} lines, as the records say"
    foreign = [line for line in ours if line not in wanted]
    odd = sum(((ours - wanted) + (wanted - ours)).values())
    if foreign:
        what = f"{len(foreign)} lines that no record says, such as: {foreign[0].strip()}"
        return _row("deploy-history.log", what, bound, passed=False)
    if odd:
        what = f"{odd} lines are missing or there twice"
        return CheckResult(name="deploy-history.log", mark=Mark.WARNED, value=what, bound=bound)
    return _row("deploy-history.log", f"{wanted.total()} lines", bound)


def _stack(line: str) -> str:
    return [*line.split(" | ", 2), "", ""][1]


def _verified(newest: Record | None, chain: Chain, version: str) -> CheckResult:
    name, found = "verified version", version.strip()
    if newest is None:
        return _row(name, found or "nothing", "nothing", passed=not found)
    if newest.text("type") == VERIFIED:
        wanted = str(newest.body["release"]["version"])
        return _row(name, found or "nothing", wanted, passed=found == wanted)
    standing = {release.version for _, release in proofs.still_verified(chain, newest.text("environment"))}
    wanted = "none, or what still stands"
    return _row(name, found or "nothing", wanted, passed=found in {"none", *standing})


def _row(name: str, value: str, bound: str, *, passed: bool = True) -> CheckResult:
    mark = Mark.PASSED if passed else Mark.FAILED
    return CheckResult(name=name, mark=mark, value=value, bound=bound)
