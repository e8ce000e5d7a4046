"""Rules for ``build:`` of a stack's images, by themselves and beside each other."""

from collections.abc import Iterator

from ci_lib.config.build import Build
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import DeployConfig, Stack
from ci_lib.config.text import quoted

_OURS = "SOURCE_DATE_EPOCH"
"""The build argument that is always given."""
_SETTINGS = "DEPLOY_ACTIONS_"
"""Variables of this prefix are options, one of them a password."""


def broken_builds(stack: Stack, path: Path) -> Iterator[Mistake]:
    """Every rule that the builds of a stack break; ``path`` is that of its images."""
    owners: dict[str, str] = {}
    for name, image in stack.images.items():
        if image.build is None:
            continue
        below = (*path, name, "build")
        if stack.target != "compose":
            text = f"has no effect: the target {quoted(stack.target)} runs no images that could be built"
            yield Mistake(path=below, text=text)
        if image.repository in owners:
            text = f"is built into the repository of image {owners[image.repository]}: tags would collide"
            yield Mistake(path=below, text=text)
        owners.setdefault(image.repository, name)
        yield from _places(image.build, below)
        yield from _arguments(image.build, below)
        yield from _lists(image.build, below)
        if image.build.builder == "classic":
            for key in image.build.beyond_classic:
                yield Mistake(path=(*below, key), text="needs buildx, and the builder is classic")


def broken_repositories(config: DeployConfig) -> Iterator[Mistake]:
    """One repository that two stacks build differently: the commit's tag names one image, not two."""
    owners: dict[str, tuple[str, Build]] = {}
    for stack, settings in config.stacks.items():
        for name, image in settings.images.items():
            if image.build is None:
                continue
            owner, build = owners.setdefault(image.repository, (f"{stack}.{name}", image.build))
            if build != image.build:
                text = f"is built otherwise than {owner}, into the same repository: give one its own"
                yield Mistake(path=("stacks", stack, "images", name, "build"), text=text)


def _places(build: Build, path: Path) -> Iterator[Mistake]:
    for key in ("context", "dockerfile"):
        text = getattr(build, key)
        if not text or text.startswith("/") or not text.isprintable():
            yield Mistake(path=(*path, key), text=f"{quoted(text)} must be a relative path, on one line")


def _arguments(build: Build, path: Path) -> Iterator[Mistake]:
    for name in build.args:
        if name == _OURS:
            text = "is given already: set it in the environment instead"
            yield Mistake(path=(*path, "args", name), text=text)
        if name in build.args_env:
            yield Mistake(path=(*path, "args", name), text='stands in "args_env" as well: keep one')
    named: list[tuple[Path, str]] = [(("args_env", at), name) for at, name in enumerate(build.args_env)]
    hidden: list[tuple[Path, str]] = [(("secrets", key), name) for key, name in build.secrets.items()]
    for under, name in (*named, *hidden):
        if name.startswith(_SETTINGS):
            yield Mistake(path=(*path, *under), text=f"{quoted(name)} is an option of deploy-actions")


def _lists(build: Build, path: Path) -> Iterator[Mistake]:
    for key in ("args_env", "platforms", "tags"):
        entries = getattr(build, key)
        for at, entry in enumerate(entries):
            if entry in entries[:at]:
                yield Mistake(path=(*path, key, at), text=f"{quoted(entry)} is listed already")
    for key in ("cache_from", "cache_to"):
        for at, entry in enumerate(getattr(build, key)):
            if not entry or not entry.isprintable():
                yield Mistake(path=(*path, key, at), text="must be one line, and not empty")
