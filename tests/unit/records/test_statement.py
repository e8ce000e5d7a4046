import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.records.chain import GENESIS, check, decode, encode
from ci_lib.records.statement import (
    CONTEXT,
    context,
    envelope,
    misstated,
    plain,
    signable,
    spelt,
    statement,
)
from tests.fakes import START
from tests.unit.records.test_ledger import Book, release

VERIFIER = "https://ci.example/acme/shop/staging"
SEAL = {"keyid": "SHA256:" + "k" * 43, "sig": "MEUC" + "A" * 60}


def body(*, passed: bool = True) -> dict[str, Any]:
    return Book().frame("staging").verified(START, release("v1"), (), passed=passed)


def made(*, passed: bool = True) -> dict[str, Any]:
    return statement(body(passed=passed), verifier=VERIFIER)


def signed(said: dict[str, Any], *seals: dict[str, str]) -> bytes:
    return encode({"statement": said, "signatures": list(seals or [SEAL])}, seq=0, prev=GENESIS)


def test_a_statement_has_the_fields_of_a_verification_summary() -> None:
    said = made()
    (image,) = release("v1").images
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert said["subject"] == [
        {"name": image.repository, "digest": {"sha256": image.digest.removeprefix("sha256:")}}
    ]
    predicate = said["predicate"]
    assert predicate["verifier"]["id"] == VERIFIER
    assert predicate["timeVerified"] == "2026-01-02T03:04:05Z"
    assert predicate["resourceUri"] == "deploy://shop/staging"
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["DEPLOY_ACTIONS_STAGING"]
    assert predicate[CONTEXT] == body()


def test_a_failure_has_no_level() -> None:
    assert made(passed=False)["predicate"]["verifiedLevels"] == ["FAILED"]


def test_what_is_signed_is_encoded_as_dsse_says() -> None:
    # The test vector of the protocol (secure-systems-lab/dsse, protocol.md), with our payload type.
    assert signable(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_the_envelope_holds_the_very_bytes_of_the_line() -> None:
    record = decode(signed(made())[:-1])
    found = json.loads(envelope(record.payload, record.signatures))
    assert base64.b64decode(found["payload"]) == record.payload == spelt(made())
    assert found["payloadType"] == "application/vnd.in-toto+json"
    assert found["signatures"] == [SEAL]


def test_a_signed_line_reads_like_an_unsigned_one() -> None:
    record = decode(signed(made(), SEAL, SEAL)[:-1])
    assert record.body == body()
    assert record.signatures == (SEAL, SEAL)
    assert record.id == hashlib.sha256(record.payload).hexdigest()
    assert plain({"statement": made(), "signatures": [SEAL]}) == plain(body()) == body()


def test_an_unsigned_statement_has_no_signatures() -> None:
    record = decode(encode(made(), seq=0, prev=GENESIS)[:-1])
    assert (record.body, record.signatures, record.payload) == (body(), (), b"")


KEYS = st.sampled_from(["signatures", "keyid", "sig", "x"])
NESTED = st.recursive(
    st.none() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(NESTED)
def test_no_body_passes_for_a_signed_one(value: Any) -> None:
    for odd in ({"signed": value}, {"x": {"signatures": [SEAL]}, "y": value}, {"z": [{"signatures": value}]}):
        line = encode(odd, seq=0, prev=GENESIS)
        assert decode(line[:-1]).signatures == ()
        assert decode(line[:-1]).body == odd


ID = "SHA256:" + "k" * 43


@pytest.mark.parametrize(
    "broken", ['"keyid":"SHA256:short"', f'"keyid":"MD5{ID[6:]}"', f'"extra":1,"keyid":"{ID}"']
)
def test_signatures_of_another_form_are_damage(broken: str) -> None:
    line = signed(made()).replace(f'"keyid":"{SEAL["keyid"]}"'.encode(), broken.encode())
    with pytest.raises(Exception, match="damaged"):
        check(line)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("subject",), []),
        (("_type",), "https://in-toto.io/Statement/v0.1"),
        (("predicateType",), "https://example.com/other"),
        (("predicate", "verificationResult"), "FAILED"),
        (("predicate", "resourceUri"), "deploy://shop/production"),
        (("predicate", "timeVerified"), "2027-01-01T00:00:00Z"),
        (("predicate", "verifiedLevels"), []),
        (("predicate", "verifier"), {"id": "https://ci.example/other"}),
        (("predicate", "verifier"), "text"),
        (("predicate", CONTEXT), {}),
        (("predicate", CONTEXT), "text"),
        (("predicate",), "text"),
    ],
)
def test_a_statement_that_says_two_things_is_found_out(path: tuple[str, ...], value: Any) -> None:
    said = json.loads(json.dumps(made()))
    inner = said
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert misstated(said, verifier=VERIFIER)


def test_a_statement_that_says_one_thing_is_as_it_should_be() -> None:
    assert misstated(made(), verifier=VERIFIER) == ""
    assert context(made()) == body()
