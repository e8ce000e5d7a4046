"""The shape of an approval that is a file of the repository."""

import json
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ci_lib.config.base import Model, Name, Words
from ci_lib.config.document import parse
from ci_lib.config.explain import explain
from ci_lib.config.mistakes import fault

_HINT = "docs/how-to/approve.md of deploy-actions describes every key"


class ApprovalFile(Model):
    """The whole file."""

    version: Literal[1]
    """Version of this format."""
    gate: Literal["force", "skip-checks", "schema", "backup", "take-down", "sign-off"]
    """What is agreed to, as the option or verb is called."""
    stack: Name
    """The stack."""
    environment: Name
    """The environment; for a sign-off the one that verified."""
    subjects: Annotated[tuple[Words, ...], Field(min_length=1)]
    """The digests of the images, `sha256:…`, or the name of the backup."""
    reason: Words
    """Why; 20 characters or more."""
    approver: Words
    """Who agrees, as CODEOWNERS names them."""
    until: Words | None = None
    """When it ends, such as 2026-01-30T10:00:00Z; a day after the commit at most. A sign-off needs no end."""


def load_approval(text: str, *, name: str) -> ApprovalFile:
    """Read and check such a file; raises ``ConfigFault``."""
    document = parse(text, name=name)
    try:
        return ApprovalFile.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        wrong = explain(error.errors(include_url=False), ApprovalFile)
        raise fault(wrong, name=name, lines=document.lines, hint=_HINT) from None
