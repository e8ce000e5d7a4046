"""The small shop on several machines, each with an engine of its own, released over SSH."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.shop import Shop
from tests.lab.images import Hello
from tests.lab.machines import Machine


@dataclass
class Fleet(Shop):
    """`Shop` on `machines`; `srv` is the path at which each finds a folder of its own."""

    machines: list[Machine] = field(default_factory=list)
    srv: Path = Path("/srv")
    rollout: dict[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> Path:
        return self.folder / "releases"

    def run_dir_of(self, machine: Machine, environment: str = "staging") -> Path:
        """The stack's folder on one machine, seen from outside."""
        return machine.srv / self.project / f"shop-{environment}"

    def config(self) -> dict[str, Any]:
        names = [machine.name for machine in self.machines]
        known = self.folder / "known_hosts"
        known.write_text("".join(machine.sshd.known_hosts.read_text() for machine in self.machines))
        # One key for all of them, as a CI has it.
        key = self.machines[0].sshd.private_key
        hosts = {
            machine.name: {
                "ssh": f"root@127.0.0.1:{machine.sshd.port}",
                "known_hosts": str(known),
                "key_env": "DEPLOY_KEY",
            }
            for machine in self.machines
        }
        public = key.with_suffix(".pub").read_text()
        for machine in self.machines:
            machine.sshd.private_key.with_suffix(".pub").write_text(public)
        self.env |= {"DEPLOY_KEY": key.read_text(), "SSH_AUTH_SOCK": ""}
        made = super().config()
        place = {"tier": "staging", "owner": "team-shop", "hosts": names, "rollout": self.rollout}
        return made | {
            "records": {"store": "directory", "host": "ops", "path": str(self.records)},
            "hosts": {"ops": {"local": True}, **hosts},
            "environments": {
                "staging": place,
                "production": place | {"tier": "production", "requires": {"environment": "staging"}},
            },
        }

    def settings(self, srv: str, ready: dict[str, Any]) -> dict[str, Any]:
        return super().settings(f"{self.srv}/{self.project}/..", ready) | {
            "compose": {
                "source": "stacks/shop",
                "run_dir": f"{self.srv}/{self.project}/shop-{{environment}}",
                "project": self.project + "-{environment}",
                "settle": "0s",
            },
        }

    def versions(self, environment: str = "staging") -> list[str]:
        """What runs on each machine, by the only container of its service; empty for none."""
        return [self._version(machine, environment) for machine in self.machines]

    def _version(self, machine: Machine, environment: str) -> str:
        found = machine.containers(f"{self.project}-{environment}", "nginx")
        assert len(found) < 2, machine.name
        if not found:
            return ""
        words = ("exec", str(found[0]["Id"]), "cat", "/www/version.txt")
        return machine.engine.docker(*words).strip().removeprefix("web-")

    def settings_of(self, service: str, variable: str) -> list[str]:
        """What a variable is in the service's container on each machine."""
        found = []
        for machine in self.machines:
            (container,) = machine.containers(f"{self.project}-staging", service)
            env = dict(pair.split("=", 1) for pair in container["Config"]["Env"])
            found.append(env[variable])
        return found

    def rows(self, result: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Name, status and version of each host in a result."""
        return [(row["name"], row["status"], row["version"]) for row in result["hosts"]]


def fleet_of(
    folder: Path, project: str, hello: Hello, srv: Path, machines: list[Machine], **rollout: Any
) -> Fleet:
    """A shop on these machines."""
    return Fleet(
        folder=folder,
        project=project,
        hello=hello,
        small=True,
        machines=machines,
        srv=srv,
        rollout=rollout,
    )
