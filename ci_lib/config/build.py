"""The shape of an image's ``build:``: what `build` makes it from, and with which builder."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ci_lib.config.base import EnvName, Model
from ci_lib.config.patterns import MOUNTED, PLATFORM, TAG

Tag = Annotated[str, StringConstraints(pattern=TAG)]
"""A tag of an image."""
Platform = Annotated[str, StringConstraints(pattern=PLATFORM)]
"""What an image runs on."""
SecretId = Annotated[str, StringConstraints(pattern=MOUNTED)]
"""What a Dockerfile calls a secret."""


class Build(Model):
    """How an image is built. Its tag is the version; the labels name commit, source and time."""

    context: str = "."
    """Folder that is sent to the builder, relative to deploy.yml and inside the repository."""
    dockerfile: str = "Dockerfile"
    """The Dockerfile, relative to `context`."""
    target: Tag | None = None
    """Stage to build; the last one otherwise."""
    args: dict[EnvName, str] = Field(default_factory=dict)
    """Build arguments. They stay visible in the image: never a secret."""
    args_env: tuple[EnvName, ...] = ()
    """Build arguments from variables of the same name; `DEPLOY_VERSION` and `DEPLOY_COMMIT` are set."""
    secrets: dict[SecretId, EnvName] = Field(default_factory=dict)
    """Secrets for `RUN --mount=type=secret,id=…`, each from an environment variable; buildx only."""
    platforms: tuple[Platform, ...] = ()
    """What the image is to run on; that of the builder otherwise. buildx only."""
    tags: tuple[Tag, ...] = ()
    """Further names beside the version, such as `main`; they move with each build."""
    cache_from: tuple[str, ...] = ()
    """Where layers may be taken from, as `--cache-from` of the builder takes it."""
    cache_to: tuple[str, ...] = ()
    """Where layers are kept, as `--cache-to` takes it. buildx only."""
    builder: Literal["auto", "buildx", "classic"] = "auto"
    """`auto`: buildx where Docker has it, else the classic builder."""

    @property
    def beyond_classic(self) -> tuple[str, ...]:
        """The keys that ask for what only buildx can do."""
        wanted = [key for key in ("platforms", "secrets", "cache_to") if getattr(self, key)]
        # The classic builder takes images alone, and no key=value.
        return (*wanted, *(["cache_from"] if any("=" in one for one in self.cache_from) else []))
