"""Which images a request names, each by its digest."""

from collections.abc import Callable, Mapping

from ci_lib.domain.errors import Refusal
from ci_lib.domain.images import Image, Reference
from ci_lib.domain.reasons import Reason
from ci_lib.engine.choose import references
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Tools
from ci_lib.records import ledger, proofs
from ci_lib.records.chain import Chain

Named = Mapping[str, Image]


def named_images(request: Request, tools: Tools) -> Named:
    """The images that the request names, each with its digest, asked for once.

    Where the environment requires another one, a tag means the digest that was verified there under that
    tag, wherever the tag points today; the registry is asked only for what nobody ever verified and is
    forced.
    """
    requires = tools.settings.place.requires
    if requires is None or request.force:
        asked_for = references(request, tools.settings)
        return {name: _resolve(name, asked, tools) for name, asked in asked_for.items()}
    chain = read_chain(tools)
    lookup = verified_tag(chain, requires.environment)
    if not request.version and not request.images:
        return _newest_verified(request, tools, chain)
    found: dict[str, Image] = {}
    for name, asked in references(request, tools.settings).items():
        digest = asked.digest or lookup(name, asked.repository, asked.tag)
        if not digest:
            raise _not_passed(chain, requires.environment, name, asked.tag)
        found[name] = Image(name=name, repository=asked.repository, tag=asked.tag, digest=digest)
    return found


def _resolve(name: str, asked: Reference, tools: Tools) -> Image:
    digest = tools.digest(name, asked)
    return Image(name=name, repository=asked.repository, tag=asked.tag, digest=digest)


def verified_tag(chain: Chain, environment: str) -> Callable[[str, str, str], str]:
    """Finds the digest that was verified in an environment by name, repository and tag; empty for none."""

    def lookup(name: str, repository: str, tag: str) -> str:
        for _, release, passed in proofs.verified_versions(chain, environment, tag):
            image = release.image(name)
            if passed and image and (image.repository, image.label) == (repository, tag):
                return image.digest
        return ""

    return lookup


def _not_passed(chain: Chain, environment: str, name: str, tag: str) -> Refusal:
    """Why no digest is verified under a tag: nobody tried, it failed, was revoked, or does not count."""
    found = proofs.verified_versions(chain, environment, tag) if tag else ()
    images = (release.image(name) for _, release, _ in found)
    tried = next((image for image in images if image is not None and image.label == tag), None)
    hint = f"deploy it to {environment} first, with green checks; see `verified show`"
    if tried is not None:
        revoked = tried.digest in proofs.revocations(chain, environment)
        told = f"{'was revoked' if revoked else 'failed its checks'} in {environment}"
    elif tag and (flaw := _flaw(chain, environment, name, tag)):
        told = f"was verified in {environment}, which does not count: {flaw}"
        hint = f"deploy it to {environment} again, in a job that has the key of the policy; see `keys show`"
    else:
        told = f"was never verified in {environment}"
    return Refusal(f"{name} {tag} {told}", hint=hint, reason=Reason.NOT_VERIFIED)


def _flaw(chain: Chain, environment: str, name: str, tag: str) -> str:
    """Why the newest verification under a tag that does not count does not; empty without one."""
    for release, flaw in proofs.uncounted(chain, environment, tag):
        image = release.image(name)
        if image is not None and image.label == tag:
            return flaw
    return ""


def _newest_verified(request: Request, tools: Tools, chain: Chain) -> Named:
    requires = tools.settings.place.requires
    assert requires is not None
    names = request.only or tuple(tools.settings.images)
    for _, release in proofs.still_verified(chain, requires.environment):
        if not ledger.is_bad(chain, tools.settings.environment, release, from_elsewhere=True):
            return {image.name: image for image in release.images if image.name in names}
    raise Refusal(
        f"nothing was ever verified in {requires.environment}",
        hint=f"deploy to {requires.environment} first",
        reason=Reason.NOT_VERIFIED,
    )
