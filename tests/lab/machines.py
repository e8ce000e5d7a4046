"""Several machines in one: each has an engine, an SSH server and a folder of its own at the same path.

What makes them different is a mount namespace each, in which another folder lies at `srv`. The network is
shared: all of them find the same registry on loopback.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.components import SEARCH_PATH, Daemon, Sshd, run, wait_for

_STOP_LIMIT = 30.0


class Engine(Daemon):
    """A Docker engine beside the machine's own; containers of it reach each other and nothing else."""

    def __init__(self, folder: Path, inside: list[str], number: int) -> None:
        folder.mkdir()
        self.socket = f"unix://{folder}/docker.sock"
        program = shutil.which("dockerd", path=SEARCH_PATH) or "dockerd"
        argv = [
            *(*inside, program, "--host", self.socket, "--pidfile", f"{folder}/pid"),
            *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
            # The machine's own engine has the rules and the bridge of the network that they share; with
            # `--bridge none` an engine would take that bridge away as it starts.
            *("--bridge", "docker0", "--iptables=false", "--ip6tables=false", "--live-restore=false"),
            *("--default-address-pool", f"base=10.{201 + number}.0.0/16,size=24"),
        ]
        super().__init__(folder, argv, self._answers)

    def docker(self, *words: str) -> str:
        """Standard output of a docker command on this engine."""
        return run("docker", "--host", self.socket, *words)

    def stop(self) -> None:
        """Stop it without waiting for what runs in it."""
        if self._process is None:
            return
        if found := self.docker("ps", "--quiet").split():
            self.docker("rm", "--force", *found)
        self._process.terminate()
        self._process.wait(_STOP_LIMIT)
        self._process = None

    def _answers(self) -> bool:
        argv = ["docker", "--host", self.socket, "version"]
        return subprocess.run(argv, capture_output=True, timeout=10).returncode == 0


@dataclass
class Machine:
    """One of them; `srv` is where its folder lies seen from outside."""

    name: str
    srv: Path
    engine: Engine
    sshd: Sshd
    holder: subprocess.Popen[bytes]

    def containers(self, project: str, service: str) -> list[dict[str, Any]]:
        """What the engine says of a service's containers."""
        labels = {"project": project, "service": service}
        filters = [f"--filter=label=com.docker.compose.{key}={value}" for key, value in labels.items()]
        ids = self.engine.docker("ps", "--all", "--quiet", *filters).split()
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return found


def missing() -> str | None:
    """None, or the reason why there can be no several machines."""
    if os.geteuid() != 0:
        return "only root can make a mount namespace"
    absent = [name for name in ("dockerd", "unshare", "nsenter") if not shutil.which(name, path=SEARCH_PATH)]
    return f"{' and '.join(absent)} not installed" if absent else Sshd.missing()


@contextlib.contextmanager
def machines(count: int) -> Iterator[tuple[Path, list[Machine]]]:
    """The path at which each finds its own folder, and that many machines, `web1` first."""
    # Not pytest's own folder: the path of a socket must stay short.
    base = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    srv = base / "srv"
    srv.mkdir()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        made = [_machine(base, srv, number, stack) for number in range(count)]
        for machine in made:
            stack.callback(machine.holder.kill)
            stack.callback(machine.engine.stop)
        for machine in made:  # all start at the same time, and are waited for one after the other
            machine.engine.start()
            stack.enter_context(machine.sshd)
        yield srv, made


def _machine(base: Path, srv: Path, number: int, stack: contextlib.ExitStack) -> Machine:
    name = f"web{number + 1}"
    own, ready = base / f"{name}-srv", base / f"{name}-ready"
    own.mkdir()
    script = 'mount --bind "$1" "$2" && : > "$3" && exec sleep infinity'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", own, srv, ready]
    holder = subprocess.Popen(argv)
    stack.callback(holder.wait)
    wait_for(ready.exists, f"the mount namespace of {name}")
    inside = ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"]
    engine = Engine(base / f"{name}-engine", inside, number)
    sshd = Sshd(base / f"{name}-sshd", inside=inside, env={"DOCKER_HOST": engine.socket})
    return Machine(name=name, srv=own, engine=engine, sshd=sshd, holder=holder)
