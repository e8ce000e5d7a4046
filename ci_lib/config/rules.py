"""Rules between the parts of deploy.yml, once each part has its right shape."""

from collections.abc import Collection, Iterator

from ci_lib.config.builds import broken_repositories
from ci_lib.config.jobs import broken_gate
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import DeployConfig, HostSettings
from ci_lib.config.pairs import broken_pairs, machine
from ci_lib.config.record_rules import broken_records
from ci_lib.config.records import GitRecords
from ci_lib.config.stacks import broken_stack
from ci_lib.config.text import instead, quoted
from ci_lib.domain.errors import ConfigFault


def broken(config: DeployConfig) -> Iterator[Mistake]:
    """Every rule that ``config`` breaks."""
    yield from broken_records(config)
    for name, host in config.hosts.items():
        yield from _host(host, ("hosts", name))
    for name in config.environments:
        yield from _environment(name, config)
    yield from _cycles(config)
    for name, stack in config.stacks.items():
        yield from broken_stack(stack, ("stacks", name))
        for environment in stack.environments:
            path: Path = ("stacks", name, "environments", environment)
            yield from _known("environment", environment, config.environments, path)
    yield from broken_repositories(config)
    yield from broken_pairs(config)
    if config.gate:
        yield from broken_gate(config.gate, ("gate",))


def check_runner(config: DeployConfig, *, hosted: bool) -> None:
    """Refuse a ledger that would vanish with a hosted runner, when a gate has to read it later.

    Raises ``ConfigFault``. ``hosted`` says whether the machine that we run on is thrown away after the job.
    """
    gated = [name for name, place in config.environments.items() if place.requires]
    if hosted and gated and _on_this_machine(config):
        raise ConfigFault(
            f"records are kept on this runner, which is thrown away after the job, but environment "
            f"{gated[0]} needs them to decide",
            hint="set records.host to a host that stays, write `store: git`, or use a self-hosted runner",
        )


def _on_this_machine(config: DeployConfig) -> bool:
    records = config.records
    if isinstance(records, GitRecords):
        return records.folder is not None
    return records.host is None or config.hosts[records.host].local


def _host(host: HostSettings, path: Path) -> Iterator[Mistake]:
    if host.local and host.ssh:
        yield Mistake(path=path, text='has both "local: true" and "ssh": keep one')
    if not host.local and not host.ssh:
        yield Mistake(path=path, text='needs either "local: true" or "ssh"')
    if host.ssh and not host.known_hosts:
        yield Mistake(
            path=path, text='"ssh" needs "known_hosts", a file with the host\'s public keys (see ssh-keyscan)'
        )


def _environment(name: str, config: DeployConfig) -> Iterator[Mistake]:
    place, path = config.environments[name], ("environments", name)
    machines: dict[str, str] = {}
    for at, host in enumerate(place.hosts):
        yield from _known("host", host, config.hosts, (*path, "hosts", at))
        if host not in config.hosts:
            continue
        other = machines.setdefault(machine(config.hosts[host]), host)
        if other != host or host in place.hosts[:at]:
            same = "is there twice" if other == host else f"is the same machine as {quoted(other)}"
            yield Mistake(path=(*path, "hosts", at), text=f"{quoted(host)} {same}")
    if place.registry and place.registry.attach and place.signing is None:
        text = "needs signing: else there is no statement to attach"
        yield Mistake(path=(*path, "registry", "attach"), text=text)
    if place.requires is None:
        return
    needed, below = place.requires, (*path, "requires")
    yield from _known("environment", needed.environment, config.environments, (*below, "environment"))
    if needed.environment == name:
        yield Mistake(path=(*below, "environment"), text="an environment cannot require itself")
    if needed.soak > needed.max_age:
        yield Mistake(
            path=(*below, "soak"), text="is longer than max_age: no verification could ever be good enough"
        )


def _cycles(config: DeployConfig) -> Iterator[Mistake]:
    """Environments that wait for each other, each circle once, told where it was written first."""
    told: set[str] = set()
    for start in config.environments:
        chain = [start]
        while (needed := _required(chain[-1], config)) is not None and needed not in chain:
            chain.append(needed)
        if needed == start and len(chain) > 1 and not told & set(chain):
            told |= set(chain)
            circle = " -> ".join([*chain, start])
            yield Mistake(
                path=("environments", start, "requires", "environment"),
                text=f"environments require each other in a circle: {circle}",
            )


def _required(name: str, config: DeployConfig) -> str | None:
    place = config.environments.get(name)
    return place.requires.environment if place and place.requires else None


def _known(what: str, name: str, known: Collection[str], path: Path) -> Iterator[Mistake]:
    if name not in known:
        text = f"there is no {what} {quoted(name)}, {instead(name, known, are=f'the {what}s are')}"
        yield Mistake(path=path, text=text)
