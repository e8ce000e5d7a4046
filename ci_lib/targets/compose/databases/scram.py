"""Verifiers of PostgreSQL's passwords, so that a server never sees the password itself.

A verifier is what a server keeps: ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`` (RFC 5802,
section 3, with the hash of RFC 7677; the spelling is PostgreSQL's, documentation of ``pg_authid``). The
server takes one in place of a password and keeps it as it is.
"""

import base64
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata

_ITERATIONS = 4096
_SALT = 16
_STORED = re.compile(r"SCRAM-SHA-256\$(?P<iterations>[0-9]{1,9}):(?P<salt>[A-Za-z0-9+/=]+)\$(?P<keys>\S+)")

# RFC 4013, section 2.3.
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,  # section 2.5: not assigned
)


def verifier(password: str, *, salt: bytes = b"", iterations: int = _ITERATIONS) -> str:
    """What the server keeps of a password; without ``salt`` with a fresh one."""
    salt = salt or secrets.token_bytes(_SALT)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_b64(salt)}${_b64(stored_key)}:{_b64(server_key)}"


def fits(stored: str, password: str) -> bool:
    """Whether ``stored``, as the server has it, belongs to the password; nothing but SCRAM ever does."""
    found = _STORED.fullmatch(stored)
    if found is None:
        return False
    salt = base64.b64decode(found["salt"])
    made = verifier(password, salt=salt, iterations=int(found["iterations"]))
    return hmac.compare_digest(made, stored)


def prepared(password: str) -> bytes:
    """The password as both ends hash it: SASLprep (RFC 4013), and as it is where that does not apply.

    So do the server and libpq: a password that is no UTF-8, or that holds what SASLprep prohibits, is no
    error to them (``pg_saslprep`` in PostgreSQL's saslprep.c, and its callers).
    """
    raw = password.encode("utf-8", "surrogateescape")
    if password.isascii():
        return raw
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(prohibited(char) for char in normal for prohibited in _PROHIBITED):
        return raw
    return normal.encode() if _one_direction(normal) else raw


def _one_direction(text: str) -> bool:
    """RFC 3454, section 6: text that runs from right to left does so from its first to its last letter."""
    right = [stringprep.in_table_d1(char) for char in text]
    if not any(right):
        return True
    return right[0] and right[-1] and not any(stringprep.in_table_d2(char) for char in text)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
