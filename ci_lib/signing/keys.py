"""Signing keys: ECDSA on the curve P-256 with SHA-256, which cosign, OpenSSL and every key service know.

The one place that loads ``cryptography``. A private key is PEM text (PKCS #8), a public one PEM
(SubjectPublicKeyInfo); a key is called by its OpenSSH fingerprint, as ``ssh-keygen -lf`` prints it.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ci_lib.domain.errors import ConfigFault
from ci_lib.records.statement import signable, spelt

_HOW = ec.ECDSA(SHA256())
_HINT = "make a pair with `deploy-actions keys new`"


def new_key() -> str:
    """A new private key as PEM."""
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_of(private: str) -> str:
    """The public half of a private key, as PEM; raises ``ConfigFault`` for what is no such key."""
    return _pem(_private(private).public_key())


def fingerprint(public: str) -> str:
    """The OpenSSH fingerprint of a public key, ``SHA256:…``; raises ``ConfigFault`` for what is none."""
    line = _public(public).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs statements with one private key; making it raises ``ConfigFault`` when that is no such key."""

    private: str = field(repr=False)
    keyid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keyid", fingerprint(public_of(self.private)))

    def signed(self, statement: dict[str, object]) -> dict[str, object]:
        """A body for the ledger: the statement, and the signature over the bytes that it will have there."""
        signature = _private(self.private).sign(signable(spelt(statement)), _HOW)
        seal = {"keyid": self.keyid, "sig": base64.b64encode(signature).decode()}
        return {"statement": statement, "signatures": [seal]}


def holds(public: str, payload: bytes, signature: str) -> bool:
    """Whether a signature (Base64 of DER) of a public key (PEM) covers a payload."""
    try:
        raw = base64.b64decode(signature, validate=True)
        _public(public).verify(raw, signable(payload), _HOW)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigFault("this is no private key in PEM without a password", hint=_HINT) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigFault("the private key is not of the curve P-256", hint=_HINT)
    return key


@lru_cache(maxsize=64)  # reading a key takes longer than verifying with it, and a ledger has few keys
def _public(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigFault("this is no public key in PEM", hint=_HINT) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigFault("the public key is not of the curve P-256", hint=_HINT)
    return key


def _pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
