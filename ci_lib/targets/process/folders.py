"""The folders of releases on this machine, each known by the hash of its content."""

from pathlib import Path

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Image
from ci_lib.domain.reasons import Reason
from ci_lib.domain.tree import tree_hash
from ci_lib.targets.process.builds import build_of
from ci_lib.targets.process.site import Site
from ci_lib.targets.trees import read_tree

_LIMIT = 60.0


class Folders:
    """Hashed once a run: what was hashed does not change by itself."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hashes: dict[Path, str] = {}

    def content(self, image: Image) -> str:
        """The digest of what lies in the image's folder, whatever it should be."""
        folder = self._site.folder(image)
        if folder not in self._hashes:
            self._hashes[folder] = f"sha256:{tree_hash(read_tree(folder))}" if folder.is_dir() else "missing"
        return self._hashes[folder]

    def bring(self, image: Image) -> None:
        """Copy the build into the image's folder, unless it lies there already.

        Raises ``DeployError`` (PULL) when there is no such build any more, or the folder holds other files.
        """
        folder = self._site.folder(image)
        if self._is_whole(image):
            return
        if folder not in self._in_use():  # half of a copy that was killed
            self._remove(folder)
        self._site.host.upload(build_of(Path(self._site.settings.folder), image), str(folder))
        if not self._is_whole(image):
            raise StepFault(
                f"{folder} holds other files than {image.label}",
                hint="remove that folder and run again",
                reason=Reason.PULL,
            )

    def forget(self) -> None:
        """Remove the folders of images that no known release has."""
        known = self._site.book().known
        used = {self._site.folder(image) for item in known for image in item.release.images}
        for folder in self._site.images.iterdir() if self._site.images.is_dir() else ():
            if folder not in used:
                self._remove(folder)

    def _is_whole(self, image: Image) -> bool:
        """Whether the folder holds the image's files, looked at anew."""
        self._hashes.pop(self._site.folder(image), None)
        return self.content(image) == image.digest

    def _in_use(self) -> frozenset[Path]:
        """The folders that processes run in now."""
        started = self._site.book().started.values()
        alive = (item for item in started if self._site.processes.alive(item.process))
        return frozenset(self._site.folder(item.image) for item in alive)

    def _remove(self, folder: Path) -> None:
        self._site.host.run(["rm", "-rf", "--", str(folder)], timeout=_LIMIT)
