"""Ways into the containers, and the failure packet."""

from ci_lib.domain.errors import DeployError
from ci_lib.domain.outcome import Logs, Packet
from ci_lib.domain.running import Health, Running
from ci_lib.ports.protocols import PortFault, Ran, Unreachable
from ci_lib.targets.compose.commands import SERVICE
from ci_lib.targets.compose.observe import containers, label, observe
from ci_lib.targets.compose.site import Site

_HEALTH = "{{if .State.Health}}{{range .State.Health.Log}}{{.ExitCode}}: {{.Output}}\n{{end}}{{end}}"
_STATE = (
    "{{.State.Status}}, exit code {{.State.ExitCode}}, restarts {{.RestartCount}}, "
    "out of memory {{.State.OOMKilled}}, image {{.Config.Image}} ({{.Image}})"
)
_LINES = "200"
_LIMIT = 20.0


class ComposeContainers:
    """``Containers`` of a Compose project."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def address(self, service: str) -> str:
        """The first address of a running container; raise ``Unreachable`` when there is none."""
        found, _, _ = containers(self._site)
        for item in found:
            networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
            addresses = [network["IPAddress"] for network in networks.values() if network.get("IPAddress")]
            if label(item, SERVICE) == service and item["State"]["Running"] and addresses:
                return str(addresses[0])
        raise Unreachable(f"no container of {service} runs and has a network address")

    def exec(
        self, service: str, argv: tuple[str, ...], *, timeout: float, stdin: bytes = b""
    ) -> Ran:
        """Run a command in a running container."""
        # Without -i a command finds its standard input at its end.
        way = ("docker", "exec", *(("-i",) if stdin else ()), instance(self._site, service))
        return self._site.look(*way, *argv, stdin=stdin, limit=timeout)


def instance(site: Site, service: str) -> str:
    """The id of a running container of ``service``; raise ``Unreachable`` when there is none."""
    for item in observe(site):
        if item.workload == service and item.health is not Health.EXITED:
            return item.instance
    raise Unreachable(f"no container of {service} runs")


def diagnose(site: Site) -> Packet:
    """Logs, health log and state of every container, and the disk; a part that cannot be had is left out."""
    try:
        services = tuple(_logs(site, item) for item in observe(site))
        disk = site.look("df", "-Ph", limit=_LIMIT).stdout
    except (DeployError, PortFault) as fault:
        return Packet(disk=f"the host could not be asked: {fault}")
    return Packet(services=services, disk=disk)


def _logs(site: Site, item: Running) -> Logs:
    def ask(*argv: str) -> str:
        ran = site.look("docker", *argv, item.instance, limit=_LIMIT)
        return ran.stdout + ran.stderr

    return Logs(
        service=item.workload,
        lines=ask("logs", "--timestamps", "--tail", _LINES),
        health=ask("inspect", "--format", _HEALTH),
        state=ask("inspect", "--format", _STATE).strip(),
    )
