"""What the rest of the package works with: one stack in one environment, everything filled in."""

from dataclasses import dataclass

from ci_lib.config.models import Environment, HostSettings, ImageSettings, StackSettings
from ci_lib.config.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The settings of one stack in one environment.

    ``folder`` is deploy.yml's folder (absolute): relative paths on the runner start there.
    ``settings`` holds the stack's settings with the environment's differences laid over and
    ``{stack}``/``{environment}`` filled in. ``required_by`` names the environments that require this one.
    ``config_hash`` is the SHA-256 of the resolved settings. ``job_folder`` (absolute, or empty) is where this
    run leaves files for the CI in the checkout; it is no part of a release.
    """

    folder: str
    stack: str
    environment: str
    target: str
    place: Environment
    images: dict[str, ImageSettings]
    settings: StackSettings
    records: Records
    hosts: dict[str, HostSettings]
    required_by: tuple[str, ...]
    config_hash: str
    job_folder: str = ""

    @property
    def host(self) -> str:
        """The environment's first host: lock and journal live there."""
        return self.place.hosts[0]

    @property
    def several(self) -> tuple[str, ...]:
        """The environment's hosts where it has several; empty where it has one."""
        return self.place.hosts if len(self.place.hosts) > 1 else ()

    @property
    def managed(self) -> frozenset[str]:
        """The services whose image we deploy."""
        return frozenset(service for image in self.images.values() for service in image.services)

    @property
    def history_name(self) -> str:
        """How the stack is called in deploy-history.log."""
        return self.settings.history_name or self.stack

    @property
    def history_env(self) -> str:
        """How the environment is called in deploy-history.log."""
        return self.settings.history_env or self.environment
