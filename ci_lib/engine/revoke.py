"""Taking a verification back: an image that passed must not be used any more."""

from ci_lib.domain.approval import MIN_REASON
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.store import Record
from ci_lib.engine.choose import references
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Tools
from ci_lib.records import proofs
from ci_lib.records.chain import Chain
from ci_lib.records.views import revocation_line

_NOTHING = "none"
"""What the text view says when nothing is verified any more: no tag of an image that could be deployed."""


def revoke(request: Request, tools: Tools) -> Record:
    """Record that the images of a request must not be used any more, and bring the views along.

    It holds for good: another verification of the same digest does not lift it. Raises ``UsageFault`` without
    a reason, or for a version that was never verified here.
    """
    if len(request.reason.strip()) < MIN_REASON:
        hint = f'--reason "…" with at least {MIN_REASON} characters; it is recorded'
        raise UsageFault("a revocation needs a reason", hint=hint)
    settings = tools.settings
    chain = read_chain(tools)
    named = references(request, settings)
    digests = tuple(asked.digest or _digest(chain, tools, name, asked) for name, asked in named.items())
    version = request.version or ",".join(digests)
    body = tools.frame.revoked(tools.clock.now(), version, digests, request.reason)
    (written,) = tools.store.append(settings.stack, body)
    standing = next(proofs.still_verified(read_chain(tools), settings.environment), None)
    line = revocation_line(body, stack=settings.history_name, environment=settings.history_env)
    newest = standing[1].version if standing else _NOTHING
    tools.store.publish(settings.stack, history=(line,), verified=newest if settings.required_by else "")
    return written


def _digest(chain: Chain, tools: Tools, name: str, asked: Reference) -> str:
    environment = tools.settings.environment
    for _, release, _ in proofs.verified_versions(chain, environment, asked.tag):
        image = release.image(name)
        if image and (image.repository, image.label) == (asked.repository, asked.tag):
            return image.digest
    raise UsageFault(
        f"{name} {asked.tag} was never verified in {environment}",
        hint="`verified show` lists what was; an image by its digest: --image NAME=REPOSITORY@sha256:…",
    )
