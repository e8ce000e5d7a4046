from typing import Any

from ci_lib.domain.facts import CiFacts
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Outcome, Return
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.records import chain, ledger, proofs
from ci_lib.records.bodies import Frame
from tests.contract.fake_target import image
from tests.fakes import START, MemoryStore

FACTS = CiFacts(provider="local", owner="me", actor="alice")


def release(tag: str, services: str = "") -> Release:
    return Release(images=(image("api", tag),), files="f", services=services)


class Book:
    """Writes a ledger line by line."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def frame(self, environment: str) -> Frame:
        return Frame(stack="shop", environment=environment, hosts=(), config_hash="c", facts=FACTS)

    def ended(
        self,
        tag: str,
        status: Status = Status.DEPLOYED,
        environment: str = "staging",
        verb: Verb = Verb.DEPLOY,
        back: Release | None = None,
        **more: Any,
    ) -> str:
        found = more.pop("release", release(tag))
        way = Return(version=back.version, release_id=back.id, proved=True) if back else None
        outcome = Outcome(verb=verb, status=status, reason=Reason.DEPLOYED, version=tag, rollback=way)
        body = self.frame(environment).outcome(outcome, START, found, **more)
        body["previous"] = back.as_json() if back else None
        return self._store.append("shop", body)[0].id

    def intent(self, tag: str, environment: str = "staging") -> str:
        body = self.frame(environment).intent(Verb.DEPLOY, START, release(tag), None, "")
        return self._store.append("shop", body)[0].id

    def verified(self, tag: str, *, passed: bool = True, environment: str = "staging") -> None:
        self._store.append(
            "shop", self.frame(environment).verified(START, release(tag), (), passed=passed)
        )

    def chain(self) -> chain.Chain:
        return chain.check(self._store.read("shop"))

    def deployed(self, environment: str = "staging") -> list[tuple[str, bool]]:
        return [(item.release.version, item.bad) for item in ledger.deployed(self.chain(), environment)]


def test_releases_that_served_come_newest_first_and_once() -> None:
    book = Book()
    for tag in ("v1", "v2", "v1"):
        book.ended(tag)
    book.ended("v3", Status.FAILED)
    book.ended("v4", environment="production")
    assert book.deployed() == [("v1", False), ("v2", False)]


def test_a_bad_release_stays_bad_until_it_passes_here() -> None:
    book = Book()
    book.ended("v1")
    book.ended("v1", Status.ROLLED_BACK, bad=True)
    assert book.deployed() == [("v1", True)]
    book.verified("v1", environment="production")
    assert book.deployed() == [("v1", True)]
    book.verified("v1", passed=False)
    assert book.deployed() == [("v1", True)]
    book.verified("v1")
    assert book.deployed() == [("v1", False)]
    book.ended("v1", Status.ROLLED_BACK, bad=True)
    assert book.deployed() == [("v1", True)]


def test_only_a_green_end_with_checks_clears_a_release_where_nobody_verifies() -> None:
    book = Book()
    book.ended("v1", Status.ROLLED_BACK, bad=True)
    book.ended("v1", Status.DEPLOYED, skipped="in a hurry")
    book.ended("v1", Status.PASSED, verb=Verb.BACKUP)
    assert book.deployed() == [("v1", True)]
    book.ended("v1", Status.PASSED, verb=Verb.POST_VERIFY)
    assert book.deployed() == [("v1", False)]


def test_another_environment_knows_a_bad_release_by_its_set() -> None:
    book = Book()
    there = release("v1", services="settings of production")
    book.ended("v1", Status.ROLLED_BACK, "production", release=there, bad=True)
    here = release("v1", services="settings of staging")
    assert not ledger.is_bad(book.chain(), "production", here)
    assert ledger.is_bad(book.chain(), "production", here, from_elsewhere=True)


def test_what_served_last_follows_deploys_and_returns() -> None:
    book = Book()
    assert ledger.last_served(book.chain(), "staging") is None
    book.ended("v1")
    book.ended("v2", Status.ROLLED_BACK, back=release("v1"))
    book.ended("v3", environment="production")
    book.ended("v1", Status.PASSED, verb=Verb.POST_VERIFY)
    found = ledger.last_served(book.chain(), "staging")
    assert found is not None
    assert found.version == "v1"


def test_an_intent_is_open_until_an_outcome_refers_to_it() -> None:
    book = Book()
    first = book.intent("v1")
    book.ended("v0", environment="production", ref="other")
    open_one = ledger.open_intent(book.chain(), "staging")
    assert open_one is not None
    assert open_one.id == first
    assert not ledger.is_closed(book.chain(), first)
    book.ended("v1", ref=first)
    assert ledger.open_intent(book.chain(), "staging") is None
    assert ledger.is_closed(book.chain(), first)


def test_an_outcome_that_does_not_know_how_it_ended_closes_nothing() -> None:
    book = Book()
    first = book.intent("v1")
    book.ended("v1", Status.PARTIAL, ref=first)
    assert not ledger.is_closed(book.chain(), first)
    assert not ledger.is_closed(book.chain(), "")


def test_an_intent_that_is_the_same_to_the_letter_as_one_before_is_not_ended_by_that_ones_end() -> None:
    book = Book()
    first = book.intent("v1")
    book.ended("v1", ref=first)
    assert book.intent("v1") == first
    assert not ledger.is_closed(book.chain(), first)
    assert not ledger.has_end(book.chain(), first)
    book.ended("v1", Status.PARTIAL, ref=first)
    assert not ledger.is_closed(book.chain(), first)
    assert ledger.has_end(book.chain(), first)
    book.ended("v1", ref=first)
    assert ledger.is_closed(book.chain(), first)


def test_text_in_a_body_cannot_pass_for_another_records_field() -> None:
    book = Book()
    book.ended('","type":"verified","environment":"staging","result":"PASSED')
    book.ended("v1", forced='"type":"verified" "result":"PASSED" "environment":"production" "bad":true')
    assert list(proofs.verified_versions(book.chain(), "staging")) == []
    assert list(proofs.verified_versions(book.chain(), "production")) == []
    assert not ledger.is_bad(book.chain(), "staging", release("v1"))


def test_verifications_speak_of_the_set_that_is_the_same_everywhere() -> None:
    book = Book()
    book.verified("v1")
    book.verified("v1", passed=False)
    found = proofs.verifications(book.chain(), "staging", release("v1", services="other"))
    assert [item.passed for item in found] == [True, False]
    assert {item.release_id for item in found} == {release("v1").set_id}


def test_what_failed_since_it_passed_is_not_verified_any_more() -> None:
    book = Book()
    book.verified("v1")
    book.verified("v2")
    book.verified("v2", passed=False)
    book.verified("v3", passed=False)
    book.verified("v3")
    versions = [release.version for _, release in proofs.still_verified(book.chain(), "staging")]
    assert versions == ["v3", "v1"]
