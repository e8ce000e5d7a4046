"""What is left beside an image after a verification: in which layouts, when again, what is told if not."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ci_lib.cli.proofs import attached_twice
from ci_lib.domain.images import Image, Reference
from ci_lib.domain.store import Record
from ci_lib.images.attach import attach, attached
from ci_lib.images.attach_bundle import attached_bundles
from ci_lib.images.attestations import MANIFEST
from ci_lib.ports.protocols import Response
from ci_lib.records.statement import PREDICATE, envelope, spelt
from tests.fake_registry import FakeRegistry, sha
from tests.fakes import FakeClock

MANIFEST_BODY = b'{"schemaVersion":2}'
IMAGE = Image(name="api", repository="r.example/shop/api", digest=sha(MANIFEST_BODY), tag="v1")
AT = Reference(repository=IMAGE.repository, digest=IMAGE.digest)


def verified(result: str = "PASSED", *, second: int = 0, signed: bool = True) -> Record:
    predicate = {
        "resourceUri": "deploy://shop/staging",
        "verificationResult": result,
        "timeVerified": f"2026-01-02T03:04:{second:02}Z",
    }
    seals = ({"keyid": "SHA256:abc", "sig": "c2ln"},) if signed else ()
    body = {"stack": "shop", "environment": "staging", "result": result}
    return Record(seq=1, id="x", body=body, payload=spelt({"predicate": predicate}), signatures=seals)


@dataclass
class Desk:
    """A registry with the image."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)

    def __post_init__(self) -> None:
        self.registry.put(MANIFEST_BODY, MANIFEST, "v1")

    @property
    def access(self) -> Any:
        return {"net": self.registry, "credentials": lambda _host: None, "clock": FakeClock()}

    def leave(self, record: Record) -> tuple[str, ...]:
        return attached_twice(IMAGE, record, self.access)

    def there(self) -> tuple[list[bytes], list[bytes]]:
        found = (attached(AT, PREDICATE, **self.access), attached_bundles(AT, PREDICATE, **self.access))
        return list(found[0]), list(found[1])


def text(record: Record) -> bytes:
    return envelope(record.payload, record.signatures)


def test_a_verification_lies_there_in_both_layouts() -> None:
    desk, record = Desk(), verified()
    assert desk.leave(record) == ()
    assert desk.there() == ([text(record)], [text(record)])


def test_the_same_verdict_again_changes_neither_and_another_one_both() -> None:
    desk = Desk()
    first, again, failed = verified(), verified(second=1), verified("FAILED", second=2)
    for record in (first, again, failed):
        assert desk.leave(record) == ()
    both = [text(first), text(failed)]
    assert desk.there() == (both, both)


def test_a_layout_that_is_missing_is_completed_and_the_other_left_alone() -> None:
    desk, earlier, later = Desk(), verified(), verified(second=1)
    attach(AT, text(earlier), PREDICATE, **desk.access)
    assert desk.leave(later) == ()
    assert desk.there() == ([text(earlier)], [text(later)])


@pytest.mark.parametrize(
    ("refused", "missing"),
    [(".att", ["classic"]), (".bundle-", ["bundle"]), ("/manifests/", ["classic", "bundle"])],
)
def test_a_refusal_says_which_of_the_two_is_missing(refused: str, missing: list[str]) -> None:
    said = {
        "classic": "api: its proof for cosign 1 and 2 is not in the registry",
        "bundle": "api: its proof as a bundle, for cosign 3, is not in the registry",
    }
    desk, record = Desk(), verified()
    desk.registry.trouble = lambda asked: (
        Response(status=403) if asked.method == "PUT" and refused in asked.url else None
    )
    notes = desk.leave(record)
    assert [note.partition(": r.example")[0] for note in notes] == [said[name] for name in missing]
    desk.registry.trouble = lambda _: None
    there = dict(zip(said, desk.there(), strict=True))
    assert [name for name, layout in there.items() if not layout] == missing


def test_what_is_not_signed_is_not_attached() -> None:
    desk = Desk()
    assert desk.leave(verified(signed=False)) == ()
    assert desk.registry.requests == []
