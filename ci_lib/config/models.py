"""The shape of deploy.yml. The JSON Schema and the reference page are generated from these models.

Every setting of a stack has a default, so that the same model also describes what an environment
overrides: only keys that are written count.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ci_lib.config.backup import Backup
from ci_lib.config.base import EnvName, Model, Name, ServiceName, Uri
from ci_lib.config.build import Build
from ci_lib.config.checks import Check
from ci_lib.config.gate import Gate
from ci_lib.config.handling import Evidence, Hooks, Limits, Preflight
from ci_lib.config.migration import Migration
from ci_lib.config.patterns import SSH, URL
from ci_lib.config.provision import Server
from ci_lib.config.records import Records
from ci_lib.config.release import ReleaseRules
from ci_lib.config.rollout import Rollout
from ci_lib.config.units import Duration, TimeLimit


class HostSettings(Model):
    """A machine: `local: true`, or `ssh:` with its known host keys."""

    local: bool = False
    """The machine that runs deploy-actions."""
    ssh: str | None = Field(default=None, pattern=SSH)
    """`user@host`, `user@host:port` or a name from the user's ssh_config."""
    known_hosts: str | None = None
    """File with the host's public keys, relative to deploy.yml. Mandatory with `ssh:`."""
    key_env: EnvName | None = None
    """Environment variable that holds the private key; without it agent and ssh_config decide."""
    sudo: bool = False
    """Run commands with `sudo -n`."""


class Requires(Model):
    """Which environment must have verified a release before this one takes it."""

    environment: Name
    """Name under `environments:`."""
    match: Literal["image", "set"] = "image"
    """`image`: each image was verified; `set`: exactly this release was."""
    max_age: TimeLimit = 30 * 86400.0
    """How old a verification may be."""
    soak: Duration = 0.0
    """How long ago it must at least be."""
    sign_off: bool = False
    """Whether somebody else than who verified it has to sign it off there; see `approve`."""


class Signing(Model):
    """How verifications in this environment are signed."""

    key_env: EnvName
    """Environment variable that holds the private key; only this environment's jobs may have it."""
    verifier: Uri
    """URI that its holder signs under, such as that of the pipeline; the policy binds the key to it."""


class RegistryProofs(Model):
    """What a verification leaves in the registry, beside the image."""

    attach: bool = False
    """The signed statement, where cosign finds it, of old and new versions alike; needs `signing`."""
    keep: bool = False
    """A tag `verified-<stack>-…`, which keeps the image from the registry's garbage collection."""


class Environment(Model):
    """Where a stack is deployed to."""

    tier: Literal["production", "staging", "testing", "development", "other"]
    """What kind of environment it is."""
    owner: str = Field(min_length=1)
    """Who answers for it; named in summaries and failure notices."""
    hosts: tuple[Name, ...] = Field(min_length=1)
    """Names under `hosts:`. Each gets the whole stack; lock and journal live on the first."""
    rollout: Rollout = Rollout()
    """How a release goes over them, where there are several."""
    requires: Requires | None = None
    """The gate before this environment; without it every release is taken."""
    signing: Signing | None = None
    """Who signs that a release passed here; without it verifications are not signed."""
    registry: RegistryProofs | None = None
    """Proofs and keep-tags in the registry; without it nothing is written there."""


class ImageSettings(Model):
    """An image of a stack, and the services that run it."""

    repository: str = Field(min_length=1)
    """Registry, path and name without tag; for the process target a folder of builds."""
    services: tuple[ServiceName, ...] = Field(min_length=1)
    """The services that run this image; a service has one image."""
    resolve: Literal["runner", "host"] = "runner"
    """Who asks the registry for the digest: this machine, or the target's host."""
    build: Build | None = None
    """How `build` makes it; without it the image comes from elsewhere."""


class Login(Model):
    """Credentials for a registry, as names of environment variables."""

    username_env: EnvName
    """Environment variable that holds the user's name."""
    password_env: EnvName
    """Environment variable that holds the password or token."""


class Compose(Model):
    """Settings of the compose target."""

    source: str = "."
    """Folder with the Compose files, relative to deploy.yml. All of it but `.env` is synchronised."""
    files: tuple[str, ...] = Field(default=("docker-compose.yml",), min_length=1)
    """Compose files inside `source`, in the order in which they overlay each other."""
    run_dir: str = "/srv/stacks/{stack}-{environment}"
    """Where the stack lives on the host; the only folder that `docker compose` runs in."""
    project: Annotated[str, StringConstraints(min_length=1)] = "{stack}-{environment}"
    """Compose project name; must match what runs already, if anything does."""
    one_shot: tuple[ServiceName, ...] = ()
    """Services that do their work and exit 0."""
    drop_build: bool = False
    """Tolerate `build:` on a managed service and ignore it; otherwise preflight refuses."""
    settle: Duration = 3.0
    """How long a service without a health check must have been running."""


class Service(Model):
    """A process of the process target."""

    command: tuple[str, ...] = ()
    """What to run in the release's folder; mandatory, but an environment may leave it to the stack."""
    env: dict[EnvName, str] = Field(default_factory=dict)
    """All the environment it gets, beside PATH, HOME, LANG and the DEPLOY_* facts."""


class Processes(Model):
    """Settings of the process target: local processes, no Docker."""

    run_dir: str = ".deploy-actions/{stack}-{environment}"
    """Where releases, logs and state live; relative to deploy.yml."""
    services: dict[ServiceName, Service] = Field(default_factory=dict)
    """A process for each service of the images: no more, no fewer."""
    settle: Duration = 1.0
    """How long a process must have been running."""
    stop_grace: Duration = 10.0
    """How long a process gets between SIGTERM and SIGKILL."""


class StackSettings(Model):
    """What a stack sets, and an environment may set differently."""

    compose: Compose = Compose()
    """For `target: compose`."""
    process: Processes = Processes()
    """For `target: process`."""
    checks: tuple[Check, ...] = ()
    """Run by deploy, promote, rollback and post-verify."""
    verify: tuple[Check, ...] = ()
    """Run by post-verify alone; where it is set, only post-verify writes `verified`."""
    hooks: Hooks = Hooks()
    """The team's own scripts around a release."""
    limits: Limits = Limits()
    """How long each kind of step may take."""
    preflight: Preflight = Preflight()
    """Bounds of the checks before a deploy."""
    backup: Backup = Backup()
    """What is saved before a switch."""
    provision: tuple[Server, ...] = ()
    """Database servers of the stack, and who has which database on them; for `database provision`."""
    migration: Migration | None = None
    """How the database's schema follows the release."""
    release: ReleaseRules = ReleaseRules()
    """What a release must have ready, and the record that it leaves."""
    evidence: Evidence = Evidence()
    """What goes into the evidence folder."""
    registries: dict[str, Login] = Field(default_factory=dict)
    """Registry host → credentials; without it Docker's own are used."""
    url: str | None = Field(default=None, pattern=URL, max_length=255)
    """Where people reach it; shown with the deployment on GitHub."""
    history_name: str = ""
    """Name in deploy-history.log; the stack's name otherwise."""
    history_env: str = ""
    """Environment in deploy-history.log; the environment's name otherwise."""


class Stack(StackSettings):
    """What is deployed as one unit."""

    target: Literal["compose", "process"]
    """Driver that realises the stack; its settings stand under the same key."""
    images: dict[Name, ImageSettings] = Field(min_length=1)
    """The stack's images, by the names that `--image` and `--only` use."""
    environments: dict[Name, StackSettings] = Field(default_factory=dict)
    """Differences in single environments; only the keys that are written count."""


class DeployConfig(Model):
    """The whole file. `{stack}` and `{environment}` are filled in in a stack's settings, nothing else is."""

    version: Literal[1]
    """Version of this format."""
    records: Records
    """Where the ledger lives, for all stacks together."""
    hosts: dict[Name, HostSettings] = Field(min_length=1)
    """Machines, by the names that the rest of the file uses."""
    environments: dict[Name, Environment] = Field(min_length=1)
    """Where stacks are deployed to. Each environment can take each stack."""
    stacks: dict[Name, Stack] = Field(min_length=1)
    """What is deployed, each as one unit."""
    gate: Gate | None = None
    """Linters, tests and scanners that `lint-test` runs, on the machine that runs deploy-actions."""
