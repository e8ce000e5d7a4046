"""A small good deploy.yml, and how tests ask for the mistakes of a bad one."""

from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.domain.errors import ConfigFault

GOOD = """\
version: 1
records: {path: records}
hosts:
  here: {local: true}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
  production: {tier: production, owner: operations, hosts: [here], requires: {environment: staging}}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend]}
    compose: {source: shop}
"""


@pytest.fixture
def good() -> str:
    """A deploy.yml that keeps every rule."""
    return GOOD


@pytest.fixture
def mistakes() -> Callable[[str], list[str]]:
    """The lines of the error that a text gives; none when it is good."""

    def ask(text: str) -> list[str]:
        try:
            load(text, name="deploy.yml")
        except ConfigFault as fault:
            return fault.message.split("\n")
        return []

    return ask
