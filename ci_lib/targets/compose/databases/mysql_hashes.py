"""Hashes of MariaDB's and MySQL's passwords, so that a server never sees the password itself.

Either server takes in place of a password what it would keep of it, and keeps it as it is. MariaDB's is that
of ``mysql_native_password``, ``*`` and SHA1(SHA1(password)) in hex (MariaDB documentation, "PASSWORD()").
MySQL's is that of ``caching_sha2_password``: ``$A$<rounds / 1000, in hex>$<20 bytes of salt><digest>``, and
the digest is SHA-crypt's (U. Drepper, "Unix crypt using SHA-256 and SHA-512") over the whole salt
(``Caching_sha2_password::deserialize`` and ``generate_sha2_multi_hash`` in MySQL's sha2_password.cc).
"""

import hashlib
import hmac
import re
import secrets

NATIVE = "mysql_native_password"
CACHING = "caching_sha2_password"

_STORED = re.compile(rb"\$A\$(?P<rounds>[0-9A-F]{3})\$(?P<salt>.{20})[./0-9A-Za-z]{43}", re.DOTALL)
_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 5


def native(password: bytes) -> str:
    """The hash that MariaDB keeps; it has no salt."""
    # What the servers' protocol fixes, not a choice of ours.
    inner = hashlib.sha1(password, usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def caching(password: bytes, *, salt: bytes = b"", rounds: int = _ROUNDS) -> bytes:
    """The hash that MySQL keeps; ``rounds`` in thousands; without ``salt`` with a fresh one."""
    salt = salt or "".join(secrets.choice(_LETTERS) for _ in range(20)).encode()
    return b"$A$%03X$%s%s" % (rounds, salt, sha_crypt(password, salt, rounds * 1000).encode())


def fits(plugin: str, stored: bytes, password: bytes) -> bool:
    """Whether ``stored``, as the server has it, belongs to the password."""
    if plugin in (NATIVE, ""):
        return hmac.compare_digest(native(password).encode(), stored.upper())
    found = _STORED.fullmatch(stored)
    if plugin != CACHING or found is None:
        return False
    made = caching(password, salt=found["salt"], rounds=int(found["rounds"], 16))
    return hmac.compare_digest(made, stored)


def sha_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """The digest of SHA-crypt with SHA-256, steps 4 to 22 of its description."""
    inner = hashlib.sha256(password + salt + password).digest()
    first = password + salt + _long(inner, len(password))
    length = len(password)
    while length:
        first += inner if length & 1 else password
        length >>= 1
    digest = hashlib.sha256(first).digest()
    key = _long(hashlib.sha256(password * len(password)).digest(), len(password))
    pepper = _long(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for turn in range(rounds):
        parts = (
            key if turn & 1 else digest,
            pepper if turn % 3 else b"",
            key if turn % 7 else b"",
            digest if turn & 1 else key,
        )
        digest = hashlib.sha256(b"".join(parts)).digest()
    return _spelled(digest)


def _long(digest: bytes, length: int) -> bytes:
    """``length`` bytes of a digest that begins anew after its end."""
    return (digest * (length // len(digest) + 1))[:length]


def _spelled(digest: bytes) -> str:
    """SHA-crypt's own base 64: bytes in the order that its step 22 lists, lowest six bits first."""
    order = [(turn * 21 % 30, (turn * 21 + 10) % 30, (turn * 21 + 20) % 30) for turn in range(10)]
    groups = [digest[a] << 16 | digest[b] << 8 | digest[c] for a, b, c in order]
    text = "".join(_letters(group, 4) for group in groups)
    return text + _letters(digest[31] << 8 | digest[30], 3)


def _letters(value: int, number: int) -> str:
    return "".join(_LETTERS[value >> 6 * place & 63] for place in range(number))
