"""Services beside a job: a Compose file, started as a project of its own and removed with all its data."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.domain.running import Health, Running
from ci_lib.domain.text import tail
from ci_lib.ports.protocols import Clock, Host, Live, PortFault, Ran
from ci_lib.targets.compose.commands import PROJECT, SERVICE, compose
from ci_lib.targets.compose.observe import label, running
from ci_lib.targets.compose.site import demand

_SETTLE = 1.0
"""Seconds that a service without a health check has to run: what cannot start has ended by then."""

_CRASH_LOOP = 3  # restarts
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5  # seconds between two looks
_LOOK, _REMOVAL = 20.0, 60.0  # seconds that a question and the removal may take
_LOG_LINES, _LOG_BYTES = 20, 4000

_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - read, not bound
_HERE = "127.0.0.1"

Told = Callable[[str], None]
Containers = Sequence[Mapping[str, Any]]
"""Containers as ``docker inspect`` prints them."""


@contextmanager
def services(
    host: Host, file: str, *, project: str, limit: float, clock: Clock, live: Live, told: Told
) -> Iterator[Mapping[str, str]]:
    """Start a Compose file on this machine's engine for as long as the block lasts.

    ``file`` is its absolute path, ``project`` a name that nobody else has, ``limit`` the seconds until every
    service is healthy, runs (without a health check), or has ended with 0. Images are pulled and built within
    them; ``told`` gets the lines of it. Yields the published ports as variables, see ``published``.

    Containers, networks, volumes and built images of the project are removed in the end, whatever happens.
    Raises ``StepFault`` with the last log lines of the services that did not come up, or when they cannot be
    removed, and ``Cancelled`` when ``live`` is stopped before all is up.
    """
    throwaway = _Throwaway(host=host, live=live, file=file, project=project, clock=clock, told=told)
    try:
        yield published(throwaway.up(limit))
    except BaseException:
        try:
            throwaway.remove()
        except (StepFault, PortFault) as fault:  # what went wrong before matters more
            told(str(fault))
        raise
    throwaway.remove()


def remove(host: Host, project: str) -> Ran:
    """Remove all that bears a project's name, at once, with its volumes and the images that it built."""
    argv = ("docker", "compose", "-p", project, "down", "-v", "--remove-orphans", "--rmi", "local", "-t", "0")
    alone = {"COMPOSE_FILE": ""}  # or Compose would read the files that the job's variable names
    return host.run(argv, timeout=_REMOVAL, env=alone)


def published(containers: Containers) -> Mapping[str, str]:
    """Where this machine reaches the services, as variables of the environment.

    Port 5432 of the service ``test-db`` is at ``TEST_DB_HOST`` and ``TEST_DB_PORT_5432``; another protocol
    than TCP is named: ``DNS_PORT_53_UDP``. Only what the Compose file publishes is there; of several
    containers, or addresses, of a service it is the first. Raises ``StepFault`` when two services would have
    the same variables.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for item in sorted(containers, key=lambda item: str(item["Name"])):
        service = label(item, SERVICE)
        prefix = _variable(service)
        for port, bindings in sorted((item["NetworkSettings"].get("Ports") or {}).items()):
            if not bindings:  # exposed to other containers only
                continue
            if owners.setdefault(prefix, service) != service:
                raise StepFault(f"services {owners[prefix]} and {service} would both be {prefix}_HOST")
            address = bindings[0]["HostIp"]
            found.setdefault(f"{prefix}_HOST", _HERE if address in _ANYWHERE else address)
            name = _variable(port.removesuffix("/tcp"))
            found.setdefault(f"{prefix}_PORT_{name}", bindings[0]["HostPort"])
    return found


def _variable(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", text.upper())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Throwaway:
    """The project: ``live`` does what a stop may end, ``host`` what has to be done even then."""

    host: Host
    live: Live
    file: str
    project: str
    clock: Clock
    told: Told

    def up(self, limit: float) -> Containers:
        """Start everything and wait until it is up; return its containers."""
        deadline = self.clock.monotonic() + limit
        last = deque[str](maxlen=1)

        def tell(line: str) -> None:
            last.append(line)
            self.told(line)

        path = PurePosixPath(self.file)
        argv = compose((), str(path.parent), self.project, (path.name,), "up", "-d", "--quiet-pull")
        watched = self.live.run(argv, timeout=limit, told=tell)
        if watched.timed_out:
            raise self._late(limit)
        if watched.code != 0:
            raise self._fault(last[0] if last else f"docker compose ended with {watched.code}", _hopeless)
        return self._awaited(deadline, limit)

    def remove(self) -> None:
        """Remove all that bears the project's name: the file may be broken, or changed by the job.

        A volume that the file only names and others have made is not ours, and stays.
        """
        try:
            ran = remove(self.host, self.project)
        except (Cancelled, KeyboardInterrupt):  # which has ended it half-way, and comes but once
            remove(self.host, self.project)
            raise
        demand(ran, f"the services of project {self.project} cannot be removed")

    def _awaited(self, deadline: float, limit: float) -> Containers:
        pause = _FIRST_PAUSE
        while True:
            containers = self._containers()
            states = self._states(containers)
            if wrong := [reason for item in states if (reason := _hopeless(item))]:
                raise self._fault("; ".join(wrong), _hopeless)
            if all(_settled(item) for item in states):
                return containers
            if self.clock.monotonic() >= deadline:
                raise self._late(limit)
            self.clock.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _containers(self) -> Containers:
        ids = self._asked("docker", "ps", "-aq", "--no-trunc", "--filter", f"label={PROJECT}={self.project}")
        return json.loads(self._asked("docker", "inspect", *ids.split())) if ids else []

    def _asked(self, *argv: str) -> str:
        errors: list[str] = []
        watched = self.live.run(argv, timeout=_LOOK, told=errors.append, capture=True)
        if watched.code != 0:
            why = errors[-1] if errors else f"exit code {watched.code}"
            raise StepFault(f"the engine does not say what runs: {why}")
        return watched.output.decode(errors="replace")

    def _states(self, containers: Containers) -> Sequence[Running]:
        now = self.clock.now().timestamp()
        return [running(item, {}, now, self.host.name) for item in containers]

    def _late(self, limit: float) -> StepFault:
        return self._fault(f"not all of them within {limit:g} s", lambda item: not _settled(item))

    def _fault(self, reason: str, blamed: Callable[[Running], object]) -> StepFault:
        """Why the services did not come up, and what those said last that are to blame."""
        try:
            states = self._states(self._containers())
        except StepFault:  # the engine does not answer: that is the reason already
            states = ()
        logs = [f"{item.workload} ({item.health}):\n{self._log(item)}" for item in states if blamed(item)]
        return StepFault("\n".join([f"the services of {self.file} did not come up: {reason}", *logs]))

    def _log(self, item: Running) -> str:
        lines: list[str] = []
        argv = ("docker", "logs", "--tail", str(_LOG_LINES), item.instance)
        self.live.run(argv, timeout=_LOOK, told=lines.append)
        return tail("\n".join(lines), lines=_LOG_LINES, size=_LOG_BYTES) or "no output"


def _settled(item: Running) -> bool:
    if item.health is Health.EXITED:
        return item.exit_code == 0
    if item.health is Health.NONE:
        return item.age >= _SETTLE
    return item.health is Health.HEALTHY


def _hopeless(item: Running) -> str:
    """Why waiting longer makes no sense; empty when it does."""
    if item.restarts >= _CRASH_LOOP:
        return f"{item.workload} restarts again and again"
    if item.health is Health.UNHEALTHY:
        return f"{item.workload} is unhealthy"
    if item.health is Health.EXITED and item.exit_code != 0:
        return f"{item.workload} ended with exit code {item.exit_code}"
    return ""
