"""The names of a project that its pipelines are written with, read from deploy.yml."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ci_lib.config.load import Loaded
from ci_lib.config.models import DeployConfig
from ci_lib.config.names import variable_names
from ci_lib.config.resolve import resolve
from ci_lib.domain.errors import ConfigFault, UsageFault

_LIBRARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_REF = re.compile(r"[0-9a-f]{40}|v[0-9]+(?:\.[0-9]+){0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a pipeline calls things; ``stack`` is empty where deploy.yml has one alone.

    ``secrets``: the variables of deploy.yml that a job on an environment is given.
    ``library`` is the path of the team's copy of deploy-actions, ``ref`` its tag or commit.
    """

    stack: str
    staging: str
    production: str
    secrets: tuple[str, ...]
    gate: bool
    builds: bool
    library: str
    ref: str


def library_of(text: str, default: str) -> tuple[str, str]:
    """``PATH`` or ``PATH@REF`` as path and tag or commit; raises ``UsageFault`` for anything else."""
    path, at, ref = text.partition("@")
    if not _LIBRARY.fullmatch(path) or (at and not _REF.fullmatch(ref)):
        hint = "give --library with its path and, if you like, a release or commit: acme/deploy-actions@v1"
        raise UsageFault(f"{text[:100]!r} names no copy of deploy-actions", hint=hint)
    return path, ref or default


def names_of(
    loaded: Loaded, *, stack: str, library: str, ref: str, given: Collection[str] = ()
) -> Names:
    """What the pipelines of ``stack`` are about; raises ``ConfigFault`` without a pair of environments.

    ``given`` are variables that every job has by itself.
    """
    config = loaded.config
    staging, production = _pair(config)
    images = config.stacks[stack].images
    named = dict.fromkeys(name for each in (staging, production) for name in _secrets(loaded, stack, each))
    return Names(
        stack=stack if len(config.stacks) > 1 else "",
        staging=staging,
        production=production,
        secrets=tuple(name for name in named if name not in given),
        gate=config.gate is not None,
        builds=any(image.build is not None for image in images.values()),
        library=library,
        ref=ref,
    )


def _pair(config: DeployConfig) -> tuple[str, str]:
    """The environment that verifies, and the one that requires it: of several the one of tier production."""
    every = config.environments.items()
    found = [(each.requires.environment, name, each) for name, each in every if each.requires]
    if not found:
        hint = "say in deploy.yml which one verifies: production: {requires: {environment: staging}}"
        what = "no environment has `requires:`, and a pipeline leads from one to another"
        raise ConfigFault(what, hint=hint)
    staging, production, _ = min(found, key=lambda pair: pair[2].tier != "production")
    return staging, production


def _secrets(loaded: Loaded, stack: str, environment: str) -> Iterator[str]:
    """What deploy.yml names for a job on an environment; what images are built with is not for it."""
    named = variable_names(resolve(loaded, stack, environment, "/"))
    return (name for name, keys in named.items() if not all(key.startswith("images.") for key in keys))
