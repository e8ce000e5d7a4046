"""How a stack's releases are handled, whatever its target: hooks, time limits, bounds and evidence."""

from typing import Literal

from ci_lib.config.base import Argv, EnvName, Model
from ci_lib.config.units import Percent, TimeLimit


class Hooks(Model):
    """The team's own scripts, run on the runner in deploy.yml's folder with the facts as DEPLOY_*."""

    before_switch: tuple[Argv, ...] = ()
    """A failure stops the run; nothing was changed."""
    after_verify: tuple[Argv, ...] = ()
    """A failure is a warning: the release is serving."""
    on_failure: tuple[Argv, ...] = ()
    """Run when a release failed, after the way back."""


class Limits(Model):
    """How long each kind of step may take."""

    build: TimeLimit = 1800.0
    """Building and pushing one image."""
    prepare: TimeLimit = 120.0
    """Staging the files and reading the configuration."""
    pull: TimeLimit = 600.0
    """Pulling all images."""
    backup: TimeLimit = 900.0
    """The whole backup."""
    restore: TimeLimit = 3600.0
    """Putting all databases of a backup back, or testing that."""
    provision: TimeLimit = 120.0
    """Each database server that is provisioned."""
    switch: TimeLimit = 300.0
    """Replacing what runs, and going back."""
    serving: TimeLimit = 120.0
    """Until every service must be serving."""
    hook: TimeLimit = 300.0
    """Each hook."""


class Preflight(Model):
    """Bounds of the checks before a deploy."""

    disk_free: Percent = 20.0
    """Share of the disk that must be free, on the file systems of Docker and of the run directory."""
    resource_limits: Literal["warn", "fail", "ignore"] = "warn"
    """What to do when a managed service has no CPU or memory limit."""


class Evidence(Model):
    """What goes into the evidence folder."""

    logs: bool = True
    """Container logs on failure; they may hold secrets that nobody declared."""
    mask_env: tuple[EnvName, ...] = ()
    """Further environment variables whose values are masked everywhere."""
