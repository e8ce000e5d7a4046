"""Words of a build: what is to be made, from which commit, and what the registry has afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_lib.domain.images import Image, Reference

REVISION = "org.opencontainers.image.revision"
"""The label that names the commit (OCI image specification, annotations)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is built from.

    ``commit`` is its 40 digits (64 in a SHA-256 repository), ``time`` when it was made, in seconds since
    1970, ``url`` where the repository is, without a login. ``changed`` are files that are not as committed.
    """

    commit: str
    time: int
    url: str = ""
    changed: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """The commit, with a word on changes that are in none; an image that says so is never used again."""
        return f"{self.commit}-dirty" if self.changed else self.commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An image to build and push. ``context`` and ``dockerfile`` are absolute; ``limit`` is in seconds.

    ``args_env`` are build arguments whose values, and ``secrets`` (id → variable) secrets that stand in
    ``env``, what the builder gets in addition.
    """

    name: str
    repository: str
    version: str
    tags: tuple[str, ...] = ()
    context: str
    dockerfile: str
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    args_env: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    buildx: bool = True
    limit: float = 1800.0

    @property
    def reference(self) -> Reference:
        """The image by its version."""
        return Reference(repository=self.repository, tag=self.version)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is pushed as. The version comes last: where it is, the others are."""
        return tuple(f"{self.repository}:{tag}" for tag in (*self.tags, self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An image for one platform, as a registry has it; ``size`` is what a pull transfers, in bytes."""

    platform: str
    digest: str
    size: int = 0

    def as_json(self) -> dict[str, Any]:
        """The form used in the result."""
        return {"platform": self.platform, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What a registry has under a name. ``revisions`` are those that its variants are labelled with."""

    digest: str
    variants: tuple[Variant, ...] = ()
    revisions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that was built and pushed, or, where ``reused``, was there already."""

    image: Image
    tags: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    reused: bool = False
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The form used in the result."""
        return {
            **self.image.as_json(),
            "tags": list(self.tags),
            "platforms": [variant.as_json() for variant in self.variants],
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
        }
