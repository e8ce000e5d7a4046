"""A verification that can be signed: the body of a record inside an in-toto Statement, and its envelope.

Sources: in-toto Statement v1 (github.com/in-toto/attestation), DSSE v1 (github.com/secure-systems-lab/dsse);
the predicate is SLSA's Verification Summary (slsa.dev/spec/v1.2/verification_summary). What is signed are the
very bytes of the statement as the ledger's line holds them; the number and the ``prev`` of the line are not.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/verification_summary/v1"
PAYLOAD: Final = "application/vnd.in-toto+json"
APPROVAL: Final = "urn:deploy-actions:approval:v1"
CONTEXT: Final = "urn:deploy-actions:context:v1"
"""The predicate's field that holds the record's body; predicates may be extended by fields that are URIs."""

Body = Mapping[str, Any]


def statement(body: Body, *, verifier: str) -> dict[str, Any]:
    """The statement that a verification makes; ``body`` is that of a ``verified`` record.

    ``verifier`` is the URI of who verified. ``policy`` names the settings that the checks were taken from.
    """
    passed = body["result"] == "PASSED"
    stack, environment = body["stack"], body["environment"]
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": image["repository"], "digest": _digest(image["digest"])}
            for image in body["release"]["images"]
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "verifier": {"id": verifier, "version": {"deploy-actions": body["tool"]}},
            "timeVerified": body["time"],
            "resourceUri": resource(stack, environment),
            "policy": {"uri": f"deploy.yml#stacks/{stack}", "digest": {"sha256": body["config_hash"]}},
            "verificationResult": body["result"],
            "verifiedLevels": [level(environment) if passed else "FAILED"],
            "slsaVersion": "1.2",
            CONTEXT: dict(body),
        },
    }


def approval(body: Body) -> dict[str, Any]:
    """The statement that an approval makes; ``body`` is that of an ``approval`` record."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": subject, "digest": _subject(subject)} for subject in body["subjects"]],
        "predicateType": APPROVAL,
        "predicate": {CONTEXT: dict(body)},
    }


def misapproved(made: Body) -> str:
    """Why a statement is not the approval that its context tells of; empty when it is."""
    found = context(made)
    try:
        same = found is not None and approval(found) == made
    except (KeyError, TypeError, AttributeError):
        same = False
    return "" if same else "its subject is not what its context says"


def resource(stack: str, environment: str) -> str:
    """The URI of what was verified: a stack in an environment."""
    return f"deploy://{stack}/{environment}"


def level(environment: str) -> str:
    """What passing in an environment is called among SLSA's levels; own ones must not begin with SLSA."""
    return f"DEPLOY_ACTIONS_{environment.upper().replace('-', '_')}"


def misstated(made: Body, *, verifier: str) -> str:
    """Why a statement does not say what its context says, or says it for somebody else; empty when it does.

    It is built again from its context and compared as a whole: subject, kind, verifier, resource, verdict and
    level, which are the things that a consumer of a verification summary must look at.
    """
    found = context(made)
    if found is None:
        return "it has no context that this version understands"
    try:
        again = statement(found, verifier=verifier)
    except (KeyError, TypeError, AttributeError):
        return "its context is incomplete"
    named = made["predicate"].get("verifier")
    if not isinstance(named, dict) or named.get("id") != verifier:
        return f"its verifier is {str(named)[:80]}, and the key is that of {verifier}"
    differing = [key for key in again["predicate"] if made["predicate"].get(key) != again["predicate"][key]]
    differing += [key for key in ("_type", "predicateType", "subject") if made.get(key) != again[key]]
    return f"its {differing[0]} is not what its context says" if differing else ""


def context(made: Body) -> Body | None:
    """The record's body inside a statement; None where there is none."""
    predicate = made.get("predicate")
    found = predicate.get(CONTEXT) if isinstance(predicate, dict) else None
    return found if isinstance(found, dict) else None


def plain(body: Body) -> Body:
    """A record's own body, which a signed one holds in the context of its statement."""
    return context(body["statement"]) or {} if "signatures" in body else body


def spelt(data: Body) -> bytes:
    """JSON in the one spelling of the ledger: sorted keys, no spaces, ASCII."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def signable(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding of a payload."""
    kind = PAYLOAD.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, signatures: tuple[Mapping[str, str], ...]) -> bytes:
    """The DSSE envelope as JSON, for those who know nothing of ledgers."""
    return spelt(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [dict(signature) for signature in signatures],
        }
    )


def _subject(text: str) -> dict[str, str]:
    """A digest is its own; the name of a backup has to be given one."""
    return _digest(text) if ":" in text else {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def _digest(text: str) -> dict[str, str]:
    kind, _, value = text.partition(":")
    return {kind: value}
