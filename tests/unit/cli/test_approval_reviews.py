"""Reviews of this very run as approvals: only where the policy takes them, and none without an answer."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from ci_lib.cli.approval_reviews import reviews_of
from ci_lib.cli.console import Session, open_session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.approval import Approval, Demand, Gate, Source
from ci_lib.domain.forge import ForgeFault, Review
from ci_lib.forge.none import NoForge

RUN = "https://ci.example/acme/shop/runs/7"
AT = datetime(2026, 1, 30, 10, tzinfo=UTC)
BY_FORGE = Demand(gates=frozenset({Gate.FORCE}), by=frozenset({Source.FORGE}))


class Reviewed(NoForge):
    """A forge that knows who let this run into production."""

    def reviews(self, environment: str) -> tuple[Review, ...]:
        return (Review(reviewer="bob", since=AT, where=RUN),) if environment == "production" else ()


def settings() -> Resolved:
    """As much of them as is looked at."""
    return cast("Resolved", SimpleNamespace(environment="production"))


def session() -> Session:
    opened = open_session(quiet=True)
    return replace(opened, facts=replace(opened.facts, run_url=RUN))


def test_a_review_is_bound_to_the_run_and_so_to_no_gate_and_no_digest() -> None:
    (found,) = reviews_of(session(), settings(), BY_FORGE, Reviewed())
    assert found == Approval(
        id=f"{RUN}#bob", source=Source.FORGE, approver="bob", environment="production", at=AT, where=RUN
    )


def test_a_forge_is_not_asked_where_the_policy_does_not_take_its_word() -> None:
    by = replace(BY_FORGE, by=frozenset({Source.FILE, Source.SIGNATURE}))
    for demand in (by, Demand()):
        assert reviews_of(session(), settings(), demand, Reviewed()) == ()


def test_a_forge_without_an_answer_is_no_approval_and_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    class Down(NoForge):
        def reviews(self, environment: str) -> tuple[Review, ...]:
            raise ForgeFault("HTTP 503")

    assert reviews_of(session(), settings(), BY_FORGE, Down()) == ()
    assert reviews_of(session(), settings(), BY_FORGE, NoForge()) == ()
    said = capsys.readouterr().err
    assert "who reviewed this run cannot be told: HTTP 503" in said
    assert "this run belongs to no forge" in said
