import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.domain.errors import ConfigFault
from ci_lib.records.statement import spelt
from ci_lib.signing.keys import Signer, fingerprint, holds, new_key, public_of

KEY, OTHER = new_key(), new_key()


def signature(made: dict[str, object]) -> str:
    (seal,) = made["signatures"]  # type: ignore[misc]
    return str(seal["sig"])


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_what_is_signed_is_what_the_ledger_spells(said: dict[str, object]) -> None:
    made = Signer(private=KEY).signed(said)
    assert holds(public_of(KEY), spelt(said), signature(made))
    assert not holds(public_of(OTHER), spelt(said), signature(made))
    assert not holds(public_of(KEY), spelt(said) + b" ", signature(made))


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", "é"])
def test_what_is_no_signature_holds_nothing(text: str) -> None:
    assert not holds(public_of(KEY), b"{}", text)


def test_a_key_is_called_by_its_fingerprint() -> None:
    assert Signer(private=KEY).keyid == fingerprint(public_of(KEY))
    assert fingerprint(public_of(KEY)) != fingerprint(public_of(OTHER))
    assert len(fingerprint(public_of(KEY))) == len("SHA256:") + 43


def test_a_private_key_is_never_shown() -> None:
    assert "PRIVATE" not in repr(Signer(private=KEY))


@pytest.mark.parametrize("text", ["", "hunter2", public_of(KEY), KEY[:100]], ids=range(4))
def test_what_is_no_private_key_is_a_mistake_that_does_not_show_it(text: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        Signer(private=text)
    assert "keys new" in fault.value.hint
    assert not text or text not in fault.value.message


EMPTY = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("text", ["", KEY, EMPTY], ids=range(3))
def test_what_is_no_public_key_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigFault):
        fingerprint(text)


def test_two_signatures_of_the_same_differ_and_both_hold() -> None:
    first, second = (Signer(private=KEY).signed({"a": 1}) for _ in range(2))
    assert json.dumps(first) != json.dumps(second)
    assert all(holds(public_of(KEY), spelt({"a": 1}), signature(made)) for made in (first, second))
