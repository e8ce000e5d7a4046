"""What a registry need not be sent again: the large layers of images that were pushed once.

The engine compresses a layer anew for each registry, which takes it 10 to 25 s of CPU for a Debian. But first
it asks whether the registry has the layer already, under the digest that it remembers of an earlier push. So
the compressed layers are kept in the cache folder, and lie in a registry's own storage before the next push.
Layout of the storage: distribution 2.8, registry/storage/paths.go.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.lab.components import Registry, docker

LARGE: Final = 4_000_000
"""Bytes of a compressed layer from which on keeping it is worth it."""


def lend(local: str, remote: str, cache: Path) -> None:
    """Put the kept layers of a local image into the registry, as layers of the repository in `remote`."""
    if not _ours(remote):
        return
    storage, repository = _place(remote)
    for diff in _diffs(local):
        for kept in (cache / diff).glob("*"):
            blob = storage / "blobs" / "sha256" / kept.name[:2] / kept.name / "data"
            link = storage / "repositories" / repository / "_layers" / "sha256" / kept.name / "link"
            _copy(kept, blob)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(f"sha256:{kept.name}")


def keep(local: str, remote: str, manifest: str, cache: Path) -> None:
    """Keep the large layers of what was pushed to `remote`; `manifest` is its digest."""
    if not _ours(remote):
        return
    storage, _ = _place(remote)
    for diff, layer in zip(_diffs(local), _layers(storage, manifest), strict=True):
        if layer.stat().st_size >= LARGE:
            _copy(layer, cache / diff / layer.parent.name)


def _ours(remote: str) -> bool:
    """Whether the registry's storage is known; tests have others that want a login, say."""
    return remote.partition("/")[0] in Registry.storage


def _place(remote: str) -> tuple[Path, str]:
    """The folder of a registry's storage, and a repository in it."""
    address, _, name = remote.partition("/")
    return Registry.storage[address] / "docker" / "registry" / "v2", name.rpartition(":")[0]


def _diffs(local: str) -> list[str]:
    """The hashes of an image's layers as they are, uncompressed, from the lowest on."""
    told = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", local))
    return [diff.removeprefix("sha256:") for diff in told]


def _layers(storage: Path, manifest: str) -> Iterator[Path]:
    """The compressed layers of a manifest in the same order."""

    def blob(digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return storage / "blobs" / "sha256" / name[:2] / name / "data"

    for layer in json.loads(blob(manifest).read_bytes())["layers"]:
        yield blob(layer["digest"])


def _copy(source: Path, target: Path) -> None:
    """A hard link where that goes: neither side writes into a blob that is there. Whole, or not at all."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as folder:
        fresh = Path(folder, "fresh")
        try:
            os.link(source, fresh)
        except OSError:
            shutil.copyfile(source, fresh)
        fresh.replace(target)
