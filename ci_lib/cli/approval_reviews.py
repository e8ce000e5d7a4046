"""Approvals that are reviews: the forge let this run enter the environment because somebody agreed."""

from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.approval import Approval, Demand, Source
from ci_lib.domain.forge import Forge, ForgeFault, Review


def reviews_of(session: Session, settings: Resolved, demand: Demand, forge: Forge) -> tuple[Approval, ...]:
    """The reviews of this very run, where the policy takes them; none where the forge gives no answer."""
    if Source.FORGE not in demand.by:
        return ()
    try:
        reviews = forge.reviews(settings.environment)
    except ForgeFault as fault:
        hint = f"; {fault.hint}" if fault.hint else ""
        session.reporter.warn(f"who reviewed this run cannot be told: {fault}{hint}")
        return ()
    return tuple(_approval(review, settings, session.facts.run_url) for review in reviews)


def _approval(review: Review, settings: Resolved, run: str) -> Approval:
    """Bound to the run, so to all it does; its giver has seen the inputs of the run, and no reason."""
    return Approval(
        id=f"{run or review.where}#{review.reviewer}",
        source=Source.FORGE,
        approver=review.reviewer,
        environment=settings.environment,
        at=review.since,
        where=review.where,
    )
