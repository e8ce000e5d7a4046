"""Verifiers of passwords against the vectors of RFC 7677 and RFC 4013."""

import base64
import hashlib
import hmac

import pytest

from ci_lib.targets.compose.databases.scram import fits, prepared, verifier

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SIGNATURE = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_the_exchange_of_rfc_7677_section_3_fits_the_verifier() -> None:
    made = verifier("pencil", salt=SALT, iterations=4096)
    head, keys = made.rsplit("$", 1)
    assert head == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    message = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}"
    ).encode()
    client_signature = hmac.digest(stored, message, "sha256")
    client_key = bytes(a ^ b for a, b in zip(PROOF, client_signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored
    assert hmac.digest(server, message, "sha256") == SIGNATURE


def test_a_verifier_fits_its_password_alone_whatever_its_salt_and_iterations() -> None:
    for made in (verifier("pencil"), verifier("pencil", salt=b"salt", iterations=10)):
        assert fits(made, "pencil")
        assert not fits(made, "Pencil")
    assert verifier("pencil") != verifier("pencil")


@pytest.mark.parametrize(
    "stored",
    ["", "pencil", "md5" + "0" * 32, "SCRAM-SHA-256$x:y$z:w", "SCRAM-SHA-256$4096:W22ZaJ0S$" + "a" * 44],
)
def test_what_is_no_verifier_fits_nothing(stored: str) -> None:
    assert not fits(stored, "pencil")


@pytest.mark.parametrize(
    ("password", "hashed"),
    [
        ("I\u00adX", "IX"),  # the examples of RFC 4013, section 3
        ("user", "user"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0627\u0031", "\u0627\u0031"),  # prohibited: it runs both ways
        ("a\u00a0b", "a b"),
        ("\u0627b\u0627", "\u0627b\u0627"),
        ("\u0627\ufb01", "\u0627\ufb01"),
        ("\u06271\u0628", "\u06271\u0628"),
        ("tab\tand \\ stay", "tab\tand \\ stay"),
        ("\u00fc\u0007", "\u00fc\u0007"),  # prohibited
        ("\ufb01\U0001f600", "\ufb01\U0001f600"),  # not assigned in Unicode 3.2, so as it is
        ("\u00ad", "\u00ad"),  # nothing is left of it
    ],
)
def test_a_password_is_prepared_as_server_and_clients_do(password: str, hashed: str) -> None:
    assert prepared(password) == hashed.encode()


def test_bytes_that_are_no_text_are_hashed_as_they_are() -> None:
    assert prepared("caf\udce9") == b"caf\xe9"
