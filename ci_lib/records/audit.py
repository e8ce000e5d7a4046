"""A whole ledger looked through: chain, signatures, and the text views that are made of it. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.store import Record, Views
from ci_lib.records import proofs
from ci_lib.records.bodies import APPROVAL, REVOKED, VERIFIED
from ci_lib.records.chain import Chain, damaged
from ci_lib.records.views import history_lines, revocation_line

Names = Callable[[str], tuple[str, str]]
"""How the log calls the stack and an environment."""

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found: ``rows`` tell it, ``records`` is the number of lines, ``head`` the hash of the last."""

    records: int
    head: str
    rows: tuple[CheckResult, ...]


def audit(chain: Chain, views: Views, names: Names) -> Audit:
    """Look through a ledger whose chain holds.

    Raises ``Refusal`` (CANNOT_DECIDE) for a signature that does not fit, and for a line that is none of ours.
    """
    count = chain.data.count(b"\n")
    records = list(chain.newest_first('"phase":"outcome"'))[::-1]  # an intent speaks for nothing here
    try:
        expected = [line for record in records for line in _lines(record, names)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise damaged(f"a record is none of ours: {type(error).__name__}: {error}") from error
    rows = (
        _row("chain", f"{count} records, each follows from the one before", "whole"),
        _signatures(records, chain),
        _log(expected, views.history, {names(record.text("environment"))[0] for record in records}),
        _verified(records, chain, views.verified),
    )
    return Audit(records=count, head=chain.head, rows=rows)


def _lines(record: Record, names: Names) -> Iterator[str]:
    stack, environment = names(record.text("environment"))
    if "status" in record.body:
        yield from history_lines(record.body, stack=stack, environment=environment)
    elif record.text("type") == REVOKED:
        yield revocation_line(record.body, stack=stack, environment=environment)


def _signatures(records: list[Record], chain: Chain) -> CheckResult:
    """Every verification and approval: those that do not count are named, and are no damage."""
    asked = [record for record in records if record.text("type") in (VERIFIED, APPROVAL)]
    flaws = [f"{record.id[:12]}: {flaw}" for record in asked if (flaw := chain.flaw(record))]
    signed = sum(bool(record.signatures) for record in asked)
    value = f"{signed} of {len(asked)} verifications and approvals are signed"
    if not flaws:
        return _row("signatures", value, "each that is there fits")
    some = "; ".join(flaws[-_SHOWN:])
    told = f"{value}; {len(flaws)} do not count, such as {some}"
    return CheckResult(name="signatures", mark=Mark.WARNED, value=told, bound="each counts")


def _log(expected: list[str], text: str, stacks: set[str]) -> CheckResult:
    """The lines of this stack; other stacks write to the same log.

    Their order is that in which runs of different environments came to write, and a run that was killed may
    have left one out or written it twice. What the records do not say at all is somebody else's.
    """
    ours = Counter(line for line in text.splitlines(keepends=True) if _stack(line) in stacks)
    wanted = Counter(expected)
    bound = f"{len(expected)} lines, as the records say"
    foreign = [line for line in ours if line not in wanted]
    odd = sum(((ours - wanted) + (wanted - ours)).values())
    if foreign:
        what = f"{len(foreign)} lines that no record says, such as: {foreign[0].strip()}"
        return _row("deploy-history.log", what, bound, passed=False)
    if odd:
        what = f"{odd} lines are missing or there twice"
        return CheckResult(name="deploy-history.log", mark=Mark.WARNED, value=what, bound=bound)
    return _row("deploy-history.log", f"{len(expected)} lines", bound)


def _stack(line: str) -> str:
    return [*line.split(" | ", 2), "", ""][1]


def _verified(records: list[Record], chain: Chain, version: str) -> CheckResult:
    name, found = "verified version", version.strip()
    kinds = (VERIFIED, REVOKED)
    events = (record for record in reversed(records) if record.text("type") in kinds)
    newest = next((one for one in events if _tells(one)), None)
    if newest is None:
        return _row(name, found or "nothing", "nothing", passed=not found)
    if newest.text("type") == VERIFIED:
        wanted = str(newest.body["release"]["version"])
        return _row(name, found or "nothing", wanted, passed=found == wanted)
    standing = {release.version for _, release in proofs.still_verified(chain, newest.text("environment"))}
    wanted = "none, or what still stands"
    return _row(name, found or "nothing", wanted, passed=found in {"none", *standing})


def _tells(record: Record) -> bool:
    return record.text("type") == REVOKED or record.text("result") == "PASSED"


def _row(name: str, value: str, bound: str, *, passed: bool = True) -> CheckResult:
    mark = Mark.PASSED if passed else Mark.FAILED
    return CheckResult(name=name, mark=mark, value=value, bound=bound)
