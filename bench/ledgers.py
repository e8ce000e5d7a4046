"""Long ledgers to measure with: the lines that deploys leave, some of the verifications signed."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ci_lib.records import chain
from ci_lib.records.statement import statement
from ci_lib.records.views import history_lines
from ci_lib.signing.keys import Signer

VERIFIER = "https://ci.example/acme/shop/staging"

Body = Mapping[str, Any]
Sign = Callable[[dict[str, Any]], Body]


def ledger(count: int, *, signed: int = 0, private: str = "") -> bytes:
    """A ledger of ``count`` lines in turns: a deploy's intent, its outcome, a verification.

    Of a hundred lines ``signed`` are signed by the key ``private`` (PEM): 33 at most, for only verifications
    are.
    """
    seal = Signer(private=private) if signed else None
    prev, lines = chain.GENESIS, []
    for number, plain in enumerate(_bodies(count)):
        body: Body = plain
        if seal is not None and _signs(number, signed):
            body = seal.signed(statement(plain, verifier=VERIFIER))
        line = chain.encode(body, seq=number, prev=prev)
        prev = hashlib.sha256(line[:-1]).hexdigest()
        lines.append(line)
    return b"".join(lines)


def history(count: int) -> str:
    """``deploy-history.log`` as the outcomes of such a ledger tell it."""
    told = (body for body in _bodies(count) if "status" in body)
    return "".join(line for body in told for line in history_lines(body, stack="shop", environment="staging"))


def newest_version(count: int) -> str:
    """The version that the last verification of such a ledger speaks of."""
    return f"sha-{count // 3 - 1}"


def body(number: int) -> dict[str, Any]:
    """The body of the line with this number."""
    kind, phase = [("deploy", "intent"), ("deploy", "outcome"), ("verified", "outcome")][number % 3]
    digest = f"sha256:{hashlib.sha256(str(number // 3).encode()).hexdigest()}"
    tag = f"sha-{number // 3}"
    image = {"name": "api", "repository": "registry.example/acme/api", "tag": tag, "digest": digest}
    web = image | {"name": "web", "repository": "registry.example/acme/web"}
    release = {
        "id": hashlib.sha256(digest.encode()).hexdigest(),
        "version": tag,
        "images": [image, web],
        "files": "a" * 64,
        "services": "b" * 64,
        "adopted": False,
    }
    common = {
        "type": kind,
        "phase": phase,
        "time": "2026-01-30T10:00:00Z",
        "stack": "shop",
        "environment": "staging",
        "hosts": ["web1"],
        "release": release,
        "config_hash": "c" * 64,
        "actor": "somebody",
        "ci": {"provider": "github", "run_url": "https://ci.example/1", "sha": "d" * 40, "ref": "main"},
        "tool": "0.1.0",
    }
    if kind == "verified":
        return common | {"result": "PASSED", "checks": []}
    return common | ({"status": "deployed", "version": tag, "ref": ""} if phase == "outcome" else {})


def _bodies(count: int) -> Iterator[dict[str, Any]]:
    return (body(number) for number in range(count))


def _signs(number: int, share: int) -> bool:
    """Whether line ``number`` is signed: ``share`` verifications of the 33 in each hundred lines."""
    return number % 3 == 2 and (number // 3) * share // 33 != (number // 3 + 1) * share // 33
