"""Where the ledger lives: ``records:`` of deploy.yml."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from ci_lib.config.base import EnvName, Model, Name, Words
from ci_lib.config.patterns import BRANCH, REMOTE


class DirectoryRecords(Model):
    """The ledger in a directory. One per deploy.yml, and never defaulted to the target's host."""

    store: Literal["directory"] = "directory"
    """The kind of store; without it a directory."""
    host: Name | None = None
    """Name under `hosts:`; without it the directory is on the machine that runs deploy-actions."""
    path: str = Field(min_length=1)
    """Folder that holds ledger, `verified/` and `deploy-history.log`."""


class GitRecords(Model):
    """The ledger in a branch of a git remote, which nothing else writes to."""

    store: Literal["git"]
    """The kind of store."""
    remote: str | None = Field(default=None, pattern=REMOTE)
    """Address of the repository, or a folder relative to deploy.yml; without it `origin` of the checkout that
    deploy.yml lies in, with that checkout's credentials."""
    branch: str = Field(default="deploy-records", pattern=BRANCH, max_length=100)
    """The branch; it is made when the first record is written."""
    token_env: EnvName | None = None
    """Environment variable that holds a token, for an `https://` remote."""
    username: Words = "x-access-token"
    """User name that goes with the token; a GitLab job token wants `gitlab-ci-token`."""
    key_env: EnvName | None = None
    """Environment variable that holds a private key, for an SSH remote; without it agent and ssh_config
    decide."""
    known_hosts: str | None = None
    """File with the SSH host's public keys, relative to deploy.yml. Mandatory with an SSH `remote` and with
    `key_env`."""

    @property
    def folder(self) -> str | None:
        """The folder that the repository is, where `remote` names one."""
        return self.remote if self.remote and self.remote.startswith((".", "/")) else None


def _store(value: object) -> str:
    """The kind of store that a value is meant for; what is no mapping is refused as a directory."""
    found = value.get("store", "directory") if isinstance(value, dict) else getattr(value, "store", "")
    return str(found or "directory")


Records = Annotated[
    Annotated[DirectoryRecords, Tag("directory")] | Annotated[GitRecords, Tag("git")], Discriminator(_store)
]
"""Where the ledger lives."""
