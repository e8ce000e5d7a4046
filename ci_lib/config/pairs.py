"""Rules for one stack in one environment, and between two such pairs on the same machine."""

from collections.abc import Iterator
from posixpath import normpath

from ci_lib.config.checks import IsolationCheck, RestoreTestCheck
from ci_lib.config.migration_rules import unprotected
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import DeployConfig, HostSettings, Stack, StackSettings
from ci_lib.config.overlay import fill, settings_of
from ci_lib.config.release_rules import broken_release
from ci_lib.config.several import not_on_several
from ci_lib.config.text import near, quoted


def broken_pairs(config: DeployConfig) -> Iterator[Mistake]:
    """Every rule that a stack breaks in an environment.

    Each environment can take each stack, whether or not the stack mentions it. Left out are pairs with an
    unknown host, and those that the target cannot reach and the stack does not mention.
    """
    owners: dict[tuple[str, str, str], str] = {}
    for name, stack in config.stacks.items():
        for environment, place in config.environments.items():
            if any(name not in config.hosts for name in place.hosts):
                continue
            wrong = out_of_reach(config, name, environment)
            if wrong and environment in stack.environments:
                yield Mistake(path=("stacks", name, "environments", environment), text=wrong)
            if wrong:
                continue
            pair = f"{name} in {environment}"
            settings = fill(settings_of(stack, environment), stack=name, environment=environment)
            layers = _Layers(name, stack, environment)
            yield from _check_names(settings, layers)
            yield from broken_release(settings, stack, layers.path)
            yield from unprotected(settings, place, layers.path("migration"))
            yield from _restore_tests(settings, layers)
            yield from _isolation(settings, layers)
            if stack.target == "process":
                yield from _processes(settings, stack, layers)
            for key, value in _claims(stack, settings):
                there = [(machine(config.hosts[name]), key[-1], value) for name in place.hosts]
                for owner in sorted({owners.setdefault(where, pair) for where in there} - {pair}):
                    text = f"{quoted(value)} is used by {owner} and by {pair} on the same host: "
                    text += "write {stack} and {environment} into it"
                    yield Mistake(path=layers.path(*key), text=text)


def machine(host: HostSettings) -> str:
    """What tells two machines apart: the SSH address without the user; every local host is the same one."""
    return (host.ssh or "").rpartition("@")[2]


def out_of_reach(config: DeployConfig, stack: str, environment: str) -> str:
    """Why the stack's target cannot work in the environment; empty when it can."""
    place, chosen = config.environments[environment], config.stacks[stack]
    name = place.hosts[0]
    host = config.hosts[name]
    if len(place.hosts) > 1:
        settings = fill(settings_of(chosen, environment), stack=stack, environment=environment)
        return not_on_several(chosen, settings, environment, place)
    if chosen.target != "process":
        return ""
    if not host.local:
        return f'the target "process" works on a local host alone, and {environment} is on {quoted(name)}'
    if host.sudo:  # its processes would be ours, and its folders root's
        what = f'and {environment} is on {quoted(name)}, which has "sudo: true"'
        return f'the target "process" cannot use sudo, {what}'
    return ""


class _Layers:
    """Where a pair's settings are written: with the environment if they are there, else with the stack."""

    def __init__(self, name: str, stack: Stack, environment: str) -> None:
        self._stack: Path = ("stacks", name)
        self._environment: Path = ("stacks", name, "environments", environment)
        self._layer = stack.environments.get(environment, StackSettings())

    def path(self, *keys: str) -> Path:
        """The path in the file of a setting, such as ``"compose", "run_dir"``."""
        here: object = self._layer
        for key in keys:
            if isinstance(here, dict) and key in here:
                here = here[key]
            elif key in getattr(here, "model_fields_set", ()):
                here = getattr(here, key)
            else:
                return (*self._stack, *keys)
        return (*self._environment, *keys)


def _claims(stack: Stack, settings: StackSettings) -> Iterator[tuple[tuple[str, str], str]]:
    """What a pair must have for itself on its host."""
    if stack.target == "process":
        yield ("process", "run_dir"), normpath(settings.process.run_dir)
    else:
        yield ("compose", "run_dir"), normpath(settings.compose.run_dir)
        yield ("compose", "project"), settings.compose.project


def _check_names(settings: StackSettings, layers: _Layers) -> Iterator[Mistake]:
    seen: set[str] = set()
    for key, checks in (("checks", settings.checks), ("verify", settings.verify)):
        for at, check in enumerate(checks):
            if check.name in seen:
                text = f"another check is called {quoted(check.name)} already"
                yield Mistake(path=(*layers.path(key), at, "name"), text=text)
            seen.add(check.name)


def _restore_tests(settings: StackSettings, layers: _Layers) -> Iterator[Mistake]:
    if settings.backup.databases:
        return
    for key, checks in (("checks", settings.checks), ("verify", settings.verify)):
        for at, check in enumerate(checks):
            if isinstance(check, RestoreTestCheck):
                yield Mistake(path=(*layers.path(key), at), text='needs "databases" under "backup"')


def _isolation(settings: StackSettings, layers: _Layers) -> Iterator[Mistake]:
    for key, checks in (("checks", settings.checks), ("verify", settings.verify)):
        for at, check in enumerate(checks):
            if isinstance(check, IsolationCheck) and not settings.provision:
                text = 'needs "provision": the servers and users whose isolation it looks at'
                yield Mistake(path=(*layers.path(key), at), text=text)


def _processes(settings: StackSettings, stack: Stack, layers: _Layers) -> Iterator[Mistake]:
    """The images' services and the processes must be the same, and each process needs a command."""
    wanted = {service: name for name, image in stack.images.items() for service in image.services}
    processes = settings.process.services
    for service, image in wanted.items():
        if service not in processes:
            text = f"no process {quoted(service)}, which image {image} lists under services"
            yield Mistake(path=layers.path("process", "services"), text=text)
    for service, process in processes.items():
        path = layers.path("process", "services", service)
        if service not in wanted:
            guess = near(service, wanted.keys() - processes.keys())
            meant = f", did you mean {quoted(guess)}?" if guess else ": list it under an image's services"
            yield Mistake(path=path, text=f"no image has a service {quoted(service)}{meant}")
        if not process.command:
            yield Mistake(path=(*path, "command"), text="is missing")
