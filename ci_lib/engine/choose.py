"""Which images a request means, and which release a rollback goes back to. Pure."""

import difflib
from collections.abc import Callable, Iterable, Mapping

from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.images import Image, Reference, Release, is_tag
from ci_lib.domain.reasons import Reason
from ci_lib.engine.tools import Request
from ci_lib.records.ledger import Deployed


def scope(request: Request, settings: Resolved) -> tuple[str, ...]:
    """The names of the images that the request speaks of; raise ``UsageFault`` for an unknown one."""
    known = tuple(settings.images)
    named = [name for name in request.images if name]
    if "" in request.images:
        if len(known) > 1:
            raise UsageFault(
                f"--image without a name, but {settings.stack} has {len(known)} images",
                hint=f"write --image NAME=REFERENCE with one of {', '.join(known)}",
            )
        named.append(known[0])
    for name in (*named, *request.only):
        if name not in known:
            raise UsageFault(f"{settings.stack} has no image {name!r}", hint=_near(name, known))
    if request.only and any(name not in request.only for name in named):
        raise UsageFault("--image names an image that --only leaves out", hint="name the same in both")
    if request.only:
        return tuple(dict.fromkeys(request.only))
    return known if request.version else tuple(dict.fromkeys(named))


def references(request: Request, settings: Resolved) -> Mapping[str, Reference]:
    """Image name → what was asked for; the repository must be the configured one.

    Raises ``UsageFault`` for a version that is no tag, a reference elsewhere, or neither tag nor digest.
    """
    names = scope(request, settings)
    if not names:
        raise UsageFault(
            "nothing to deploy was named",
            hint="give --version TAG, or --image NAME=REPOSITORY@sha256:…",
        )
    tags = versions(request.version, names)
    known = tuple(settings.images)
    for name in tags:
        if name not in known:
            raise UsageFault(f"{settings.stack} has no image {name!r}", hint=_near(name, known))
    found: dict[str, Reference] = {}
    for name in names:
        asked = request.images.get(name) or (request.images.get("") if len(settings.images) == 1 else None)
        repository = settings.images[name].repository
        if asked is None:
            if name not in tags:
                raise UsageFault(f"no version for image {name!r}", hint="give --version or --image")
            found[name] = Reference(repository=repository, tag=tags[name])
            continue
        found[name] = _explicit(name, asked, repository)
    return found


def versions(version: str, names: Iterable[str]) -> Mapping[str, str]:
    """Read ``sha-1`` as the tag of every name, and ``api:sha-1,web:sha-2`` as one tag each."""
    if not version:
        return {}
    if ":" not in version:
        tags = dict.fromkeys(names, version)
    else:
        pairs = [part.partition(":") for part in version.split(",")]
        tags = {name: tag for name, _, tag in pairs}
        if len(tags) < len(pairs):
            raise UsageFault(f"{version[:80]!r} names an image twice")
    for tag in tags.values():
        if not is_tag(tag):
            raise UsageFault(
                f"{version[:80]!r} is not a version",
                hint="a version is an image tag such as sha-1a2b3c4, or NAME:TAG,NAME:TAG",
            )
    if "latest" in tags.values():
        raise UsageFault("'latest' is not a version", hint="deploy the tag of a commit, such as sha-1a2b3c4")
    return tags


def complete(named: Mapping[str, Image], settings: Resolved, previous: Release | None) -> tuple[Image, ...]:
    """The images of the whole release: what is not named carries its running digest forward."""
    images: list[Image] = []
    for name in settings.images:
        image = named.get(name) or (previous.image(name) if previous else None)
        if image is None:
            raise UsageFault(
                f"image {name!r} was not named, and nothing runs that it could be taken from",
                hint="the first deploy names every image: use --version without --only",
            )
        images.append(image)
    return tuple(images)


def rollback_target(
    request: Request,
    settings: Resolved,
    candidates: Iterable[Deployed],
    current: Release | None,
) -> Release:
    """The release to go back to, newest first among those that served here and are not bad.

    With ``only`` the result is the current release with those images exchanged.
    Raises ``UsageFault`` when there is none, ``Refusal`` (POLICY) when the one asked for is bad.
    """
    names = scope(request, settings)
    if request.last_good and request.version:
        raise UsageFault("--version and --last-good contradict each other", hint="give one of them")
    if not request.last_good and not request.version:
        raise UsageFault("nothing to roll back to was named", hint="give --version, --last-good or --list")
    matches = _same_images(names, current) if request.last_good else _same_version(request.version, names)
    for candidate in candidates:
        if request.last_good and (candidate.bad or candidate.left or matches(candidate.release)):
            continue
        if request.version and not matches(candidate.release):
            continue
        if candidate.bad:
            raise Refusal(
                f"{candidate.release.version} failed its checks in {settings.environment} and is marked bad",
                hint="choose another release from --list, or deploy this one again",
                reason=Reason.POLICY,
            )
        return _exchange(candidate.release, request.only, current)
    what = "no earlier good release" if request.last_good else f"no release {request.version!r}"
    raise UsageFault(
        f"{what} ever served {settings.stack} in {settings.environment}", hint="see rollback --list"
    )


def _same_images(names: tuple[str, ...], current: Release | None) -> Callable[[Release], bool]:
    def same(release: Release) -> bool:
        if current is None:
            return False
        if not names:
            return release.id == current.id
        return all(release.image(name) == current.image(name) for name in names)

    return same


def _same_version(version: str, names: tuple[str, ...]) -> Callable[[Release], bool]:
    def same(release: Release) -> bool:
        if version == release.version or (len(version) >= 12 and release.id.startswith(version)):
            return True
        wanted = versions(version, names)
        labels = {image.name: image.label for image in release.images}
        return all(labels.get(name) == tag for name, tag in wanted.items())

    return same


def _exchange(release: Release, only: tuple[str, ...], current: Release | None) -> Release:
    if not only or current is None:
        return release
    images = tuple(release.image(i.name) or i if i.name in only else i for i in current.images)
    return Release(images=images, files=current.files, services=current.services)


def _explicit(name: str, asked: str, repository: str) -> Reference:
    reference = Reference.parse(asked)
    if reference.repository != repository:
        raise UsageFault(
            f"image {name!r} comes from {repository}, not from {reference.repository}",
            hint=f"change `images.{name}.repository` in deploy.yml if that is meant",
        )
    if reference.tag == "latest":
        hint = "name the tag of a commit, or leave the tag out: repository@sha256:…"
        raise UsageFault(f"{asked!r} says 'latest', which is not a version", hint=hint)
    if not reference.tag and not reference.digest:
        hint = f"write {asked}:TAG or {asked}@sha256:…"
        raise UsageFault(f"{asked!r} has neither tag nor digest", hint=hint)
    return reference


def _near(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
