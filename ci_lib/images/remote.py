"""What a registry has under a name: its digest, the image for each platform, and the commits they name.

Formats: github.com/opencontainers/image-spec, "Image Index", "Image Manifest" and "Image Configuration";
Docker's manifests of version 2 have the same fields.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ci_lib.domain.build import REVISION, Remote, Variant
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Reference, is_digest
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import fault
from ci_lib.images.registry import Document, Registry
from ci_lib.ports.protocols import Clock, Net

_LISTS = ("manifests", "layers")
_MOST = 64
"""Manifests of an index that are looked at: there are fewer platforms, each with an attestation."""


def remote_image(
    reference: Reference,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> Remote:
    """Read what ``reference`` names, every manifest by its digest, which is computed here.

    Raises as ``Registry.manifest`` does, and ``DeployError`` with REGISTRY for something that is no image.
    """
    registry = Registry(reference.repository, net=net, credentials=credentials, clock=clock)
    top = registry.manifest(reference)
    content = _read(top.body, reference)
    documents = [top]
    if "manifests" in content:
        children = [entry["digest"] for entry in content["manifests"] if not _attests(entry)][:_MOST]
        documents = [registry.manifest(_by(reference, digest)) for digest in children]
    described = [_variant(registry, reference, document) for document in documents]
    return Remote(
        digest=top.digest,
        variants=tuple(variant for variant, _ in described),
        revisions=frozenset(revision for _, revision in described),
    )


def _variant(registry: Registry, reference: Reference, document: Document) -> tuple[Variant, str]:
    """The image of one manifest, and the commit that it is labelled with (empty without a label)."""
    manifest = _read(document.body, reference)
    if "config" not in manifest or "layers" not in manifest:
        raise _no_image(reference)
    config = _read(registry.blob(_by(reference, manifest["config"]["digest"])), reference)
    parts = (config.get("os"), config.get("architecture"), config.get("variant"))
    size = manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    platform = "/".join(str(part) for part in parts if part)
    labels = _mapping(_mapping(config.get("config")).get("Labels"))
    return Variant(platform=platform, digest=document.digest, size=size), str(labels.get(REVISION, ""))


def _read(body: bytes, reference: Reference) -> Mapping[str, Any]:
    """A JSON object whose parts that are used have the right shape."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _no_image(reference)
    lists = [content[key] for key in _LISTS if key in content]
    # The key is an object of a manifest and of a configuration, where only the former has a digest.
    one = [content["config"]] if "layers" in content and "config" in content else []
    if not all(isinstance(entries, list) and all(map(_described, entries)) for entries in [*lists, one]):
        raise _no_image(reference)
    return content


def _described(entry: object) -> bool:
    """Whether it is a descriptor: a digest and a size."""
    return (
        isinstance(entry, dict) and is_digest(str(entry.get("digest"))) and isinstance(entry.get("size"), int)
    )


def _attests(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of an index is no image but what BuildKit says about one."""
    return "vnd.docker.reference.type" in _mapping(entry.get("annotations"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _by(reference: Reference, digest: str) -> Reference:
    return Reference(repository=reference.repository, digest=digest)


def _no_image(reference: Reference) -> DeployError:
    return fault(f"what the registry has as {reference} is no image", hint="which program pushed it?")
