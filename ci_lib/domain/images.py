"""Image references, images and releases: what is deployed, told apart by digest and never by tag."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ci_lib.domain.errors import UsageFault

# The grammar of github.com/distribution/reference. Without a dot or a colon it is no host, but the first part
# of a name at Docker Hub (there `splitDockerDomain`), and those are in lower case.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?=[^/]*[.:])(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"(?:{_HOST}/|(?![^/]*[.:][^/]*/)){_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_LONGEST = 255 - len("docker.io/library/")
"""Characters of a name: Docker counts what it puts in front as well."""
_REFERENCE = re.compile(rf"(?P<repository>{_REPOSITORY})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")

KEPT = "deploy-actions/"
"""Repositories of this name exist on a host only: our own tags, which keep an image from being pruned."""


def _is_name(repository: str) -> bool:
    """Docker takes 64 hexadecimal digits for the id of an image, and has an upper bound."""
    return len(repository) <= _LONGEST and re.fullmatch(r"[0-9a-f]{64}", repository) is None


def is_tag(text: str) -> bool:
    """Whether ``text`` can be a tag; what is not must not reach a reference."""
    return re.fullmatch(_TAG, text) is not None


def is_digest(text: str) -> bool:
    """Whether ``text`` is ``sha256:`` and 64 lower-case hexadecimal digits."""
    return re.fullmatch(_DIGEST, text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """``repository[:tag][@digest]`` taken apart."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; raise ``UsageFault`` when it is none."""
        found = _REFERENCE.fullmatch(text)
        if found is None or not _is_name(found["repository"]):
            raise UsageFault(
                f"{text!r} is not an image reference",
                hint="write repository:tag, repository@sha256:… or both, in lower case",
            )
        return cls(
            repository=found["repository"], tag=found["tag"] or "", digest=found["digest"] or ""
        )

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A resolved image of a stack: ``name`` is ours, ``digest`` decides, ``tag`` is for people."""

    name: str
    repository: str
    digest: str
    tag: str = ""

    @property
    def pinned(self) -> str:
        """``repository@digest``: what a running container's image must be known by."""
        return f"{self.repository}@{self.digest}"

    @property
    def reference(self) -> str:
        """``repository:tag@digest``: what is written into the pin."""
        return str(Reference(repository=self.repository, tag=self.tag, digest=self.digest))

    @property
    def kept_as(self) -> str:
        """The twelve digits that name this image in our own tags."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def label(self) -> str:
        """What people call it: the tag, else the short digest."""
        return self.tag or self.kept_as

    def as_json(self) -> dict[str, str]:
        """The form used in records, journal and evidence."""
        return {"name": self.name, "repository": self.repository, "tag": self.tag, "digest": self.digest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(
            name=data["name"], repository=data["repository"], tag=data["tag"], digest=data["digest"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Images and files that run together.

    ``files`` is the SHA-256 of the synchronised files, ``services`` that of the resolved managed services;
    both are empty where a target has neither. ``adopted`` marks what was running before we came: it is
    known by what runs, not by what was asked for.
    """

    images: tuple[Image, ...]
    files: str = ""
    services: str = ""
    adopted: bool = field(default=False, compare=False)

    @property
    def id(self) -> str:
        """SHA-256 of the sorted ``name=repository@digest`` lines and the two hashes."""
        return self._hash(f"files={self.files}", f"services={self.services}")

    @property
    def set_id(self) -> str:
        """The same without the resolved services: equal wherever the same images and files go.

        ``id`` cannot be compared between environments, since their settings differ on purpose.
        """
        return self._hash(f"files={self.files}")

    @property
    def version(self) -> str:
        """The tag that all images share, else ``api:sha-1,web:sha-2``."""
        return version_of(self.images)

    def _hash(self, *hashes: str) -> str:
        lines = sorted(f"{image.name}={image.pinned}" for image in self.images)
        return hashlib.sha256("\n".join([*lines, *hashes, ""]).encode()).hexdigest()

    def image(self, name: str) -> Image | None:
        """The image of that name, if the release has one."""
        return next((image for image in self.images if image.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """The form used in records, journal, snapshots and evidence."""
        return {
            "id": self.id,
            "version": self.version,
            "images": [image.as_json() for image in self.images],
            "files": self.files,
            "services": self.services,
            "adopted": self.adopted,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``; ``id`` and ``version`` are computed, never believed."""
        return cls(
            images=tuple(Image.from_json(image) for image in data["images"]),
            files=data["files"],
            services=data["services"],
            adopted=bool(data.get("adopted", False)),
        )


def version_of(images: Iterable[Image]) -> str:
    """What people call these images together."""
    images = tuple(images)
    labels = {image.label for image in images}
    if len(labels) == 1:
        return labels.pop()
    return ",".join(f"{image.name}:{image.label}" for image in sorted(images, key=lambda i: i.name))
