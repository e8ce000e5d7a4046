"""Where the files of a build are: inside the repository, also when a link leads elsewhere."""

from collections.abc import Mapping
from pathlib import Path

from ci_lib.config.models import ImageSettings
from ci_lib.domain.errors import ConfigFault


def places(images: Mapping[str, ImageSettings], folder: Path, top: Path) -> dict[str, tuple[str, str]]:
    """Context and Dockerfile of each image, absolute, without links.

    ``folder`` is deploy.yml's folder in the tree that is built, ``top`` that tree. Raises ``ConfigFault`` for
    what is not there or lies outside.
    """
    found: dict[str, tuple[str, str]] = {}
    for name, image in images.items():
        if image.build is not None:
            context = _inside(folder / image.build.context, top, f"images.{name}.build.context")
            dockerfile = _inside(context / image.build.dockerfile, top, f"images.{name}.build.dockerfile")
            _demand(context.is_dir(), context, top, f"images.{name}.build.context")
            _demand(dockerfile.is_file(), dockerfile, top, f"images.{name}.build.dockerfile")
            found[name] = (str(context), str(dockerfile))
    return found


def _inside(path: Path, top: Path, key: str) -> Path:
    real, inside = path.resolve(), top.resolve()
    if not real.is_relative_to(inside):
        raise ConfigFault(f"{key} leads out of the repository", hint="build from what is committed")
    return real


def _demand(there: bool, path: Path, top: Path, key: str) -> None:
    if not there:
        named = path.relative_to(top.resolve())
        raise ConfigFault(
            f"{key}: the tree that is built has no {named}",
            hint="the checkout's deploy.yml counts, also for another commit: did that one have it?",
        )
