"""Giving an approval: signed by a person whom the policy names, for these images and no others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ci_lib.domain.approval import LONGEST, MIN_REASON, Gate
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.store import Record
from ci_lib.engine.choose import references
from ci_lib.engine.naming import named_images, verified_tag
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Tools
from ci_lib.records.ledger import last_served
from ci_lib.records.statement import approval
from ci_lib.records.trust import Approver


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What is agreed to, for how many hours, and whose key signs it; ``backup`` where the gate is that."""

    gate: Gate
    hours: int
    keyid: str
    backup: str = ""


def approve(
    request: Request,
    tools: Tools,
    consent: Consent,
    signed: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> Record:
    """Record a signed approval for the images, or the backup, that are named.

    Raises ``UsageFault`` for a key that the policy gives to nobody here, too short a reason, too long a time,
    or a version that cannot be found.
    """
    person = _person(tools, consent.keyid)
    if len(request.reason.strip()) < MIN_REASON:
        hint = f'--reason "…" with at least {MIN_REASON} characters: whoever reads it later was not there'
        raise UsageFault("an approval needs a reason", hint=hint)
    lasting = timedelta(hours=consent.hours)
    if not timedelta() < lasting <= LONGEST:
        raise UsageFault(f"--hours {consent.hours}", hint="an approval is good for 1 to 24 hours")
    now = tools.clock.now()
    body = tools.frame.approval(
        now,
        approver=person.name,
        gate=consent.gate,
        subjects=_subjects(request, tools, consent),
        reason=request.reason,
        until=now + lasting,
    )
    (written,) = tools.store.append(tools.settings.stack, signed(approval(body)))
    return written


def _person(tools: Tools, keyid: str) -> Approver:
    stack, environment = tools.settings.stack, tools.settings.environment
    for person in tools.trust().approvers:
        if person.keyid == keyid and person.speaks_for(stack, environment) and not person.revoked:
            return person
    raise UsageFault(
        f"the policy lets nobody with the key {keyid} approve for {stack} in {environment}",
        hint="it has to stand under `approvers:` there",
    )


def _subjects(request: Request, tools: Tools, consent: Consent) -> tuple[str, ...]:
    if consent.gate is Gate.BACKUP:
        if not consent.backup:
            raise UsageFault("no --backup", hint="name the backup that is to be put back")
        return (consent.backup,)
    if consent.gate is Gate.TAKE_DOWN:
        return _serving(request, tools)
    if consent.gate is not Gate.SIGN_OFF:  # whatever the tag means now: that is what would be let in
        forced = replace(request, force=request.version or "digest")
        return tuple(image.digest for image in named_images(forced, tools).values())
    lookup = verified_tag(read_chain(tools), tools.settings.environment)
    named = references(request, tools.settings)
    found = {
        name: asked.digest or lookup(name, asked.repository, asked.tag) for name, asked in named.items()
    }
    if missing := [name for name, digest in found.items() if not digest]:
        raise UsageFault(
            f"{missing[0]} {named[missing[0]].tag} is not verified in {tools.settings.environment}",
            hint="sign off what passed there: see `verified show`",
        )
    return tuple(found.values())


def _serving(request: Request, tools: Tools) -> tuple[str, ...]:
    """The digests of what serves by the ledger: its images may be gone from the registry long since."""
    release = last_served(read_chain(tools), tools.settings.environment)
    if release is None or release.version != request.version:
        serves = f"{release.version} serves" if release else "nothing serves"
        raise UsageFault(f"{serves} in {tools.settings.environment}, by the ledger", hint="see `history`")
    return tuple(image.digest for image in release.images)
