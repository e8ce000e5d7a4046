"""What the ledger says about approvals: which there are, and which were used."""

from collections.abc import Iterator

from ci_lib.domain.approval import Approval, Gate, Source
from ci_lib.domain.store import Record
from ci_lib.records.bodies import APPROVAL, moment
from ci_lib.records.chain import Chain, damaged
from ci_lib.records.ours import records


def approvals(chain: Chain, environment: str) -> Iterator[Approval]:
    """Newest first: the approvals for an environment, each with what there is to say against it.

    Raises ``Refusal`` (CANNOT_DECIDE) for a line that nobody of us wrote.
    """
    for record in records(chain, f'"environment":"{environment}"', '"type":"approval"'):
        if record.text("type") == APPROVAL and record.text("environment") == environment:
            yield _approval(record, chain)


def _approval(record: Record, chain: Chain) -> Approval:
    body = record.body
    try:
        return Approval(
            id=record.id,
            source=Source.SIGNATURE,
            approver=str(body["approver"]),
            environment=record.text("environment"),
            gate=Gate(body["gate"]),
            subjects=frozenset(str(subject) for subject in body["subjects"]),
            reason=str(body["reason"]),
            at=moment(body["time"]),
            until=moment(body["until"]),
            where=f"record {record.id[:12]}",
            flaw=chain.flaw(record),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(f"record {record.id[:12]} in line {record.seq + 1} is none of ours") from error


def used_by(chain: Chain, approval: str) -> Record | None:
    """The intent that used an approval up; None when nobody has."""
    for record in records(chain, f'"{approval}"', '"phase":"intent"'):
        if any(used.get("id") == approval for used in record.body.get("approvals", ())):
            return record
    return None


def signed_off(chain: Chain, environment: str) -> Iterator[Approval]:
    """Newest first: who agreed that a release which was verified in an environment may go on."""
    return (item for item in approvals(chain, environment) if item.gate is Gate.SIGN_OFF and not item.flaw)
