"""The policy: whom to believe, and what environments require at least, whatever deploy.yml says.

It lies where those who edit the checkout cannot: on the records' host, or in a variable of the CI.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ci_lib.config.base import Model, Name, Uri, Words
from ci_lib.config.document import parse
from ci_lib.config.explain import explain
from ci_lib.config.mistakes import Mistake, fault
from ci_lib.config.models import Requires
from ci_lib.config.patterns import DATE
from ci_lib.domain.errors import ConfigFault

PLACE = "/etc/deploy-actions/policy.yml"
"""Where it lies on the records' host."""
VARIABLE = "DEPLOY_ACTIONS_POLICY"
"""The CI's variable that holds its text, where the records' host has none."""

_HINT = "docs/how-to/sign-verifications.md of deploy-actions describes every key"


class KeyRule(Model):
    """A key that verifications may be signed with."""

    public_key: Words
    """PEM, as `deploy-actions keys new` prints it."""
    verifier: Uri
    """The URI that its holder signs under; the verifier of the environment's `signing:`."""
    environments: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The environments that it may speak of."""
    stacks: tuple[Name, ...] = ()
    """The stacks that it may speak of; all of them otherwise."""
    not_before: str | None = Field(default=None, pattern=DATE)
    """The first day (UTC) whose verifications count."""
    not_after: str | None = Field(default=None, pattern=DATE)
    """The last day (UTC) whose verifications count."""
    revoked: bool = False
    """Nothing that it signed counts, whenever that was: for a key that was lost."""


class ApproverRule(Model):
    """A person whose key may sign approvals."""

    name: Words
    """As the CI calls them; whoever runs a release cannot approve of it."""
    public_key: Words
    """PEM, as `deploy-actions keys new` prints it."""
    environments: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The environments that they may approve for."""
    stacks: tuple[Name, ...] = ()
    """The stacks that they may approve for; all of them otherwise."""
    revoked: bool = False
    """Nothing that it signed counts: for a key that was lost."""


class Approvals(Model):
    """Which gates of an environment take an approval that is proved, and by what."""

    gates: Annotated[
        tuple[Literal["force", "skip-checks", "schema", "backup", "take-down"], ...], Field(min_length=1)
    ]
    """As the options are called: `schema` is `--schema down`, `take-down` the verb."""
    by: Annotated[tuple[Literal["signature", "file", "forge"], ...], Field(min_length=1)]
    """What counts as a proof."""


class Files(Model):
    """Where approvals by file are: reviewed, and merged into a branch that is protected."""

    branch: Words
    """The branch, such as `main`; runs of any other one find no approvals."""
    folder: Words = "approvals"
    """The folder at the top of the repository; CODEOWNERS must name who may approve."""


class Place(Model):
    """What the policy demands of an environment."""

    requires: Requires | None = None
    """As in deploy.yml, which may only be stricter; only keys that are written count."""
    approvals: Approvals | None = None
    """Which gates take a proof that somebody else agreed; without it `--approver` is a name that is typed."""


class Policy(Model):
    """The whole file."""

    version: Literal[1]
    """Version of this format."""
    keys: tuple[KeyRule, ...] = ()
    """Once one is bound to an environment and stack, unsigned verifications of these do not count."""
    approvers: tuple[ApproverRule, ...] = ()
    """Who may sign approvals."""
    files: Files | None = None
    """Approvals by files of the repository; without it there are none."""
    environments: dict[Name, Place] = Field(default_factory=dict)
    """Minimum of each environment, by the names of deploy.yml."""


def load_policy(text: str, *, name: str) -> Policy:
    """Read and check a policy; ``name`` is how messages call it. Raises ``ConfigFault``."""
    try:
        document = parse(text, name=name)
    except ConfigFault as error:
        raise ConfigFault(error.message, hint=_HINT) from error
    try:
        policy = Policy.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        wrong = explain(error.errors(include_url=False), Policy)
        raise fault(wrong, name=name, lines=document.lines, hint=_HINT) from None
    if mistakes := [*_places(policy), *_days(policy)]:
        raise fault(mistakes, name=name, lines=document.lines, hint=_HINT)
    return policy


def day(text: str) -> datetime:
    """The beginning, in UTC, of a day such as 2026-01-30; raises ``ValueError`` for one that never comes."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _places(policy: Policy) -> Iterator[Mistake]:
    for name, place in policy.environments.items():
        if place.requires and place.requires.environment == name:
            path = ("environments", name, "requires", "environment")
            yield Mistake(path=path, text="an environment cannot require itself")


def _days(policy: Policy) -> Iterator[Mistake]:
    for at, rule in enumerate(policy.keys):
        bounds = {"not_before": rule.not_before, "not_after": rule.not_after}
        for key, text in bounds.items():
            if text is not None and not _comes(text):
                yield Mistake(path=("keys", at, key), text=f"there is no day {text}")


def _comes(text: str) -> bool:
    try:
        day(text)
    except ValueError:
        return False
    return True
