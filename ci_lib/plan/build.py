"""What ``build`` will do, as data: from deploy.yml, a commit and a version to orders for a builder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ci_lib.config.build import Build
from ci_lib.config.models import ImageSettings, Stack
from ci_lib.domain.build import REVISION, Order, Source
from ci_lib.domain.errors import ConfigFault, DeployError, UsageFault
from ci_lib.domain.images import is_tag
from ci_lib.domain.reasons import Reason

GIVEN: Final = frozenset({"DEPLOY_VERSION", "DEPLOY_COMMIT"})
"""Variables that every build gets."""

_EPOCH: Final = "SOURCE_DATE_EPOCH"
_LATEST_SECOND: Final = 253_402_300_799  # of the year 9999, which ends what a date can say


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where and how orders are carried out.

    ``places`` are context and Dockerfile of each image, absolute; ``epoch`` is the caller's
    SOURCE_DATE_EPOCH, ``moving`` whether the further names move, ``buildx`` whether Docker here has it,
    ``limit`` in seconds.
    """

    places: Mapping[str, tuple[str, str]]
    epoch: str = ""
    moving: bool = True
    buildx: bool = True
    limit: float = 1800.0


def chosen(stack: Stack, only: tuple[str, ...], name: str) -> dict[str, ImageSettings]:
    """The images of ``stack``, called ``name``, that are built: those with ``build:``, or of ``only``."""
    known = {image: settings for image, settings in stack.images.items() if settings.build}
    if not known:
        raise ConfigFault(
            f"no image of {name} has `build:`",
            hint="say how it is made: `images: {api: {…, build: {context: .}}}`",
        )
    for image in only:
        if image not in known:
            missing = "does not say how to `build:` the image" if image in stack.images else "has no image"
            raise UsageFault(f"{name} {missing} {image[:60]!r}", hint=f"it builds: {', '.join(known)}")
    return {image: settings for image, settings in known.items() if not only or image in only}


def tag_for(source: Source, asked: str, now: datetime) -> str:
    """The tag of all images: the one asked for, else the commit's; changed files make it one of its own."""
    if not asked:
        changed = f"-dirty-{now:%Y%m%d%H%M%S}" if source.changed else ""
        return f"sha-{source.commit}{changed}"
    if not is_tag(asked):
        raise UsageFault(f"{asked[:80]!r} is no image tag", hint="write one such as v1.2.3, or none")
    if asked == "latest":
        hint = "leave it out: the commit names the image; `tags: [latest]` moves that name along"
        raise UsageFault("'latest' is not a version", hint=hint)
    return asked


def orders(images: Mapping[str, ImageSettings], source: Source, tag: str, site: Site) -> tuple[Order, ...]:
    """An order for each image, as deploy.yml lists them; raises ``DeployError`` for what no builder can."""
    return tuple(
        _order(name, image, image.build, source, tag, site) for name, image in images.items() if image.build
    )


def _order(name: str, image: ImageSettings, build: Build, source: Source, tag: str, site: Site) -> Order:
    context, dockerfile = site.places[name]
    epoch = _epoch(site.epoch, source)
    return Order(
        name=name,
        repository=image.repository,
        version=tag,
        tags=tuple(extra for extra in build.tags if extra != tag) if site.moving else (),
        context=context,
        dockerfile=dockerfile,
        target=build.target or "",
        args=build.args,
        args_env=(*build.args_env, _EPOCH),
        secrets=build.secrets,
        platforms=build.platforms,
        cache_from=build.cache_from,
        cache_to=build.cache_to,
        labels=_labels(source, tag, epoch),
        env={"DEPLOY_VERSION": tag, "DEPLOY_COMMIT": source.commit, _EPOCH: str(epoch)},
        buildx=_by_buildx(name, build, there=site.buildx),
        limit=site.limit,
    )


def _labels(source: Source, tag: str, epoch: int) -> dict[str, str]:
    """github.com/opencontainers/image-spec, "Pre-Defined Annotation Keys"."""
    labels = {
        REVISION: source.revision,
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.created": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "org.opencontainers.image.source": source.url,
    }
    return {key: value for key, value in labels.items() if value}


def _epoch(given: str, source: Source) -> int:
    """The caller's, else the commit's time (reproducible-builds.org/specs/source-date-epoch)."""
    if not given:
        return source.time
    if not (given.isascii() and given.isdigit() and int(given[:13]) <= _LATEST_SECOND):
        raise UsageFault(
            f"SOURCE_DATE_EPOCH is {given[:40]!r}, which is no number of seconds since 1970",
            hint="leave it out: the time of the commit is used",
        )
    return int(given)


def _by_buildx(name: str, build: Build, *, there: bool) -> bool:
    if build.builder == "classic":
        return False
    wanted = build.beyond_classic
    if not there and (wanted or build.builder == "buildx"):
        needing = f"{' and '.join(wanted)} of images.{name}.build" if wanted else f"images.{name}.build"
        raise DeployError(
            f"{needing} asks for buildx, and Docker on this machine has none",
            hint="install docker-buildx-plugin (Debian: docker-buildx), or use docker/setup-buildx-action",
            reason=Reason.BUILD,
        )
    return there


def version_of(stack: Stack, images: Mapping[str, ImageSettings], tag: str) -> str:
    """What ``deploy --version`` takes: the tag when all images of the stack have it, else ``api:TAG,…``."""
    if len(images) == len(stack.images):
        return tag
    return ",".join(f"{name}:{tag}" for name in images)
