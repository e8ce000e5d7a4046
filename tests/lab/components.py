"""The real components of the integration tests: engine, Compose, registry and SSH host.

Each component says itself why it is missing (`engine_ready`, `Registry.missing`, `Sshd.missing`); none of
them needs more than a folder, and all listen on 127.0.0.1 with a port of their own.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

HOST = "127.0.0.1"

# sshd and dockerd live where a user's PATH does not always look.
SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def wait_for(happened: Callable[[], bool], what: str, *, limit: float = 20.0) -> None:
    """Return as soon as `happened` is true; after `limit` seconds say `what` did not happen."""
    deadline = time.monotonic() + limit
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"within {limit:g} s {what} did not happen")
        time.sleep(0.02)


def run(
    *argv: str | Path, directory: Path | None = None, env: dict[str, str] | None = None, limit: float = 120
) -> str:
    """The standard output of a program; what it printed is in the error when it fails."""
    done = subprocess.run(
        argv, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit
    )
    if done.returncode:
        raise RuntimeError(f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def docker(*args: str | Path, limit: float = 120) -> str:
    """Standard output of a docker command."""
    return run("docker", *args, limit=limit)


def compose(project: str, directory: Path, *args: str, limit: float = 120) -> str:
    """Standard output of `docker compose ARGS` for one project, run as a person in the folder would."""
    return run("docker", "compose", "--project-name", project, *args, directory=directory, limit=limit)


def engine_ready() -> str | None:
    """None, or the reason why neither an engine nor Compose can be used."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    for name, argv in (
        ("Docker engine", ("version", "--format", "{{.Server.Version}}")),
        ("Docker Compose", ("compose", "version")),
    ):
        try:
            docker(*argv, limit=20)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return f"{name} does not answer: {str(error).strip().splitlines()[-1]}"
    return None


def remove_projects(name: str) -> None:
    """Remove containers, networks, volumes and kept images of the Compose projects `name` and `name-…`."""

    def of_project(*listing: str, key: str) -> list[str]:
        rows = docker(*listing, "--format", key + ' {{.Label "com.docker.compose.project"}}').splitlines()
        pairs = (row.partition(" ") for row in rows)
        return [item for item, _, project in pairs if project == name or project.startswith(f"{name}-")]

    for remove, listing, key in (
        (("rm", "--force", "--volumes"), ("ps", "--all", "--no-trunc"), "{{.ID}}"),
        (("network", "rm"), ("network", "ls", "--no-trunc"), "{{.ID}}"),
        (("volume", "rm", "--force"), ("volume", "ls"), "{{.Name}}"),
    ):
        if found := of_project(*listing, key=key):
            docker(*remove, *found)
    # An engine with thousands of names is slow for every test that follows.
    kept = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*/{name}*/*")
    if kept:
        docker("image", "rm", *kept.split())


class Daemon:
    """A program in the foreground, started and stopped by a test; used as a context manager it is stopped."""

    def __init__(self, folder: Path, argv: Sequence[str | Path], ready: Callable[[], bool]) -> None:
        self.log = folder / "log"
        self._argv = argv
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        assert self._process is not None, f"{self._argv[0]} does not run"
        return self._process.pid

    def start(self) -> None:
        """Start the program and wait until it is ready; starting what runs does nothing."""
        if self._process is not None:
            return
        with self.log.open("ab") as log:
            process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._process = process
        try:
            wait_for(lambda: process.poll() is not None or self._ready(), f"the start of {self._argv[0]}")
            if process.poll() is not None:
                raise RuntimeError(f"{self._argv[0]} ended with {process.returncode}")
        except (TimeoutError, RuntimeError) as error:
            self.stop()
            raise RuntimeError(f"{error}\n{self.log.read_text(errors='replace')[-2000:]}") from None

    def stop(self) -> None:
        """Stop the program; stopping what does not run does nothing."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop and start, with the same port and the same data."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Within the `with` block the program does not run; afterwards it does, whatever happened."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


USER, PASSWORD = "kim", "a-password-of-the-laboratory"
_HTPASSWD = f"{USER}:$2b$05$lRIO9jD4sn/OinwQJLUPbentWM87.ye3645RhKD6EEX07OQPhR5Cq\n"
"""The password as a registry wants it: bcrypt, which neither Python nor Debian's own programs make."""


class Registry(Daemon):
    """An image registry in which manifests can be deleted; `login`: only for `USER` with `PASSWORD`.

    `auth` is the registry's own setting of that name, for another kind of login.
    """

    storage: ClassVar[dict[str, Path]] = {}
    """Where the registry at an address keeps what it has."""

    def __init__(self, folder: Path, *, login: bool = False, auth: dict[str, Any] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._login = login or auth is not None
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.storage[self.address] = folder / "data"
        self.config = config = folder / "config.json"  # every JSON document is YAML
        storage = {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}}
        log = {"level": "warn", "accesslog": {"disabled": True}}
        document = {"version": 0.1, "log": log, "storage": storage, "http": {"addr": self.address}}
        if login:
            (folder / "htpasswd").write_text(_HTPASSWD)
            auth = {"htpasswd": {"realm": "lab", "path": str(folder / "htpasswd")}}
        if auth is not None:
            document["auth"] = auth
        config.write_text(json.dumps(document))
        super().__init__(folder, ["docker-registry", "serve", config], self._answers)

    @staticmethod
    def missing() -> str | None:
        """None, or the reason why no registry can be started."""
        return None if shutil.which("docker-registry") else "docker-registry is not installed"

    def delete(self, repository: str, digest: str) -> None:
        """Forget one manifest, and with it every tag that names it."""
        status = self._request("DELETE", f"/v2/{repository}/manifests/{digest}")
        assert status == 202, f"the registry answered {status}"

    def holds(self, repository: str, reference: str) -> bool:
        """Whether a tag or digest can be pulled."""
        return self._request("HEAD", f"/v2/{repository}/manifests/{reference}") == 200

    def collect_garbage(self) -> None:
        """Delete what no tag names, as an operator does at night; the registry is stopped meanwhile."""
        with self.stopped():
            run("docker-registry", "garbage-collect", "--delete-untagged", self.config)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._request("GET", "/v2/") == (401 if self._login else 200)
        return False

    def _request(self, method: str, path: str) -> int:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Accept": accept})
            return connection.getresponse().status


class Sshd(Daemon):
    """This machine as an SSH host: root logs in with a key, the host key is in `known_hosts`.

    `wrong_known_hosts` names another key for the same address, as after an attack or a reinstallation.
    `inside` is the beginning of a command that starts it elsewhere, `env` what its sessions find set.
    """

    def __init__(
        self, folder: Path, *, inside: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.host = HOST
        self.port = free_port()
        self.user = "root"
        self.private_key = _key(folder / "client")
        self.known_hosts = self._names(_key(folder / "host"), folder / "known_hosts")
        self.wrong_known_hosts = self._names(_key(folder / "other_host"), folder / "wrong_known_hosts")
        config = folder / "sshd_config"
        config.write_text(
            f"ListenAddress {HOST}\n"
            f"Port {self.port}\n"
            f"HostKey {folder / 'host'}\n"
            f"AuthorizedKeysFile {folder / 'client.pub'}\n"
            "PermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\n"
            "StrictModes no\n"  # the folder is a temporary one, below a folder everybody may write
            "UsePAM no\n"
            # bash reads .bashrc for every command over SSH unless SHLVL says that a shell did already; what
            # root has in there on a developer's machine may take longer than what is tested.
            f"SetEnv {' '.join(f'{name}={value}' for name, value in {'SHLVL': '1', **(env or {})}.items())}\n"
            "PidFile none\n"
            "Subsystem sftp internal-sftp\n"
        )
        # sshd re-executes itself for every connection and so wants its absolute path.
        program = shutil.which("sshd", path=SEARCH_PATH) or "/usr/sbin/sshd"
        super().__init__(folder, [*inside, program, "-D", "-e", "-f", config], self._answers)

    @staticmethod
    def missing() -> str | None:
        """None, or the reason why no SSH host can be started."""
        if os.geteuid() != 0:
            return "sshd lets root log in only when root started it"
        absent = [name for name in ("sshd", "ssh", "ssh-keygen") if not shutil.which(name, path=SEARCH_PATH)]
        return f"{' and '.join(absent)} not installed" if absent else None

    def start(self) -> None:
        """Start sshd; it insists on a folder that a boot would have made."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        super().start()

    def command(self, *remote: str, known_hosts: Path | None = None) -> list[str]:
        """The argv of an ssh client that looks at nothing of this machine's user."""
        hosts = known_hosts or self.known_hosts
        strict = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}")
        flags = [part for o in ("BatchMode=yes", "IdentitiesOnly=yes", *strict) for part in ("-o", o)]
        key = ["-i", str(self.private_key), "-p", str(self.port)]
        return ["ssh", "-F", "none", *flags, *key, f"{self.user}@{self.host}", *remote]

    def cut(self) -> int:
        """Kill the established sessions, not what they run: as when the network goes away. How many?"""
        sessions = _sshd_below(self.pid)
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def stop(self) -> None:
        """Stop the listener and cut the sessions, which would survive it."""
        if self._process is not None:
            self.cut()
        super().stop()

    def _names(self, key: Path, known_hosts: Path) -> Path:
        kind, public = key.with_suffix(".pub").read_text().split()[:2]
        known_hosts.write_text(f"[{self.host}]:{self.port} {kind} {public}\n")
        return known_hosts

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=5) as client:
            return client.recv(4) == b"SSH-"
        return False


def _key(path: Path) -> Path:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "deploy-actions-lab", "-f", path)
    return path


def _sshd_below(pid: int) -> list[int]:
    """The sshd processes that serve a connection; a login command below them has another name."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = entry.read_text().rpartition(")")
            if int(tail.split()[1]) == pid and head.partition("(")[2] == "sshd":
                found.append(int(entry.parent.name))
    return found + [deeper for child in found for deeper in _sshd_below(child)]
