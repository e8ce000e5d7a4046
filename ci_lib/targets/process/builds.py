"""Builds: a repository is a folder, a tag a folder in it, the digest its content's hash."""

from pathlib import Path

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Image, Reference
from ci_lib.domain.reasons import Reason
from ci_lib.domain.tree import tree_hash
from ci_lib.ports.protocols import Tree
from ci_lib.targets.trees import read_tree


def digest_of(folder: Path, reference: Reference) -> str:
    """The digest of ``repository:tag`` below ``folder``; one that is given is taken as it is.

    Raises ``DeployError`` (IMAGE_MISSING) when there is no such build.
    """
    if reference.digest:
        return reference.digest
    return f"sha256:{tree_hash(_read(folder, reference.repository, reference.tag))}"


def build_of(folder: Path, image: Image) -> Tree:
    """The files of an image; raises ``DeployError`` (PULL) when they are not what the digest says."""
    if not image.tag:
        raise DeployError(
            f"{image.name} has a digest and no tag, and is not on the target any more",
            hint="name the tag that it was built as",
            reason=Reason.PULL,
        )
    tree = _read(folder, image.repository, image.tag)
    if f"sha256:{tree_hash(tree)}" != image.digest:
        raise DeployError(
            f"{image.repository}/{image.tag} is not the build that was asked for any more",
            hint="it was built again under the same name; give every build a name of its own",
            reason=Reason.PULL,
        )
    return tree


def _read(folder: Path, repository: str, tag: str) -> Tree:
    path = folder / repository / tag
    if not path.is_dir():
        raise DeployError(
            f"there is no build {repository}/{tag}",
            hint=f"expected a folder {path}: was it built?",
            reason=Reason.IMAGE_MISSING,
        )
    return read_tree(path)
