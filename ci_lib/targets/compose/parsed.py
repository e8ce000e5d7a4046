"""What ``docker compose config --format json`` says, as far as it matters here. Pure."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_lib.domain.differences import fingerprints, named
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason

_PINNED = ("image", "build")
"""What the pin decides for a managed service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; ``limited`` means that CPU and memory are both limited."""

    name: str
    image: str
    builds: bool
    instances: int
    limited: bool
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A stack's services and the networks that must exist already; ``shared`` is all that no service owns."""

    services: Mapping[str, Service]
    external_networks: tuple[str, ...]
    shared: Mapping[str, Any] = field(default_factory=dict)

    def workloads(self, managed: Iterable[str]) -> Mapping[str, int]:
        """The managed services that are to run, each with its number of instances."""
        found = {name: self.services[name].instances for name in sorted(managed) if name in self.services}
        return {name: count for name, count in found.items() if count > 0}

    def needed_by(self, service: str) -> tuple[str, ...]:
        """The services that one depends on, and those that they depend on, in the order of their names."""
        found: set[str] = set()
        waiting = [service]
        while waiting:
            needs = self.services[waiting.pop()].config.get("depends_on") or {}
            new = set(needs) & self.services.keys() - found - {service}
            found |= new
            waiting.extend(new)
        return tuple(sorted(found))

    def other_images(self, managed: Iterable[str]) -> tuple[str, ...]:
        """References that must be on the host and that we do not manage; what is built is not among them."""
        others = (self.services[name] for name in set(self.services) - set(managed))
        return tuple(sorted({service.image for service in others if service.image and not service.builds}))


def parse(text: str, *, staged: str, run_dir: str) -> Parsed:
    """Read the JSON; paths below ``staged`` become what they will be in ``run_dir``."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StepFault(f"docker compose config printed no JSON: {error}", reason=Reason.PREFLIGHT) from error
    data = _moved(data, re.compile(rf"{re.escape(staged)}(?![\w.-])"), run_dir)
    services, networks = data.get("services") or {}, data.get("networks") or {}
    external = {key: network for key, network in networks.items() if (network or {}).get("external")}
    return Parsed(
        services={name: _service(name, config or {}) for name, config in services.items()},
        external_networks=tuple(sorted(network.get("name") or key for key, network in external.items())),
        shared={key: value for key, value in data.items() if key not in ("services", "name")},
    )


def settings_of(parsed: Parsed, managed: Collection[str]) -> Mapping[str, str]:
    """The name of every setting → SHA-256 of its value, without what the pin decides.

    ``backend.environment.LOG_LEVEL`` is one of a service, ``top-level.volumes.data`` one that all share.
    """
    found: dict[str, str] = {}
    for name, service in parsed.services.items():
        pinned = _PINNED if name in managed else ()
        found |= fingerprints(named(name), service.config, without=pinned)
    return {**found, **fingerprints("top-level", parsed.shared)}


def services_hash(parsed: Parsed, managed: Iterable[str]) -> str:
    """SHA-256 of the managed services' settings, without what the pin decides.

    Resolved environment values are part of it, so a changed ``.env`` makes another release.
    """
    settings = {name: dict(parsed.services[name].config) for name in managed}
    for config in settings.values():
        for key in _PINNED:
            config.pop(key, None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def differences(plain: Parsed, pinned: Parsed, expected: Mapping[str, str]) -> tuple[str, ...]:
    """What the pin did wrong: a managed service without its digest, or any other service that changed."""
    runs = {name: service.image for name, service in pinned.services.items()}
    wrong = [
        f"{name} would run {runs.get(name) or 'no image'}, not {reference}"
        for name, reference in expected.items()
        if runs.get(name) != reference
    ]
    others = set(plain.services) - set(expected)
    changed = (name for name in sorted(others) if plain.services[name] != pinned.services.get(name))
    return (*wrong, *(f"{name} changed" for name in changed))


def _service(name: str, config: Mapping[str, Any]) -> Service:
    deploy = config.get("deploy") or {}
    limits = (deploy.get("resources") or {}).get("limits") or {}
    cpus = limits.get("cpus") or config.get("cpus") or config.get("cpu_quota")
    memory = limits.get("memory") or config.get("mem_limit")
    return Service(
        name=name,
        image=str(config.get("image") or ""),
        builds="build" in config,
        instances=int(deploy.get("replicas", config.get("scale", 1))),
        limited=bool(cpus) and bool(memory),
        config=config,
    )


def _moved(value: Any, staged: re.Pattern[str], run_dir: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _moved(item, staged, run_dir) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, staged, run_dir) for item in value]
    return staged.sub(lambda _: run_dir, value) if isinstance(value, str) else value
