"""Images of the tests, built on this machine: the application `hello`, Debian's PostgreSQL and MariaDB.

What was built stays in the engine under `deploy-actions-lab/…` with the hash of its sources as a label, and
is built again only when they change. A pushed name is removed from the engine at once, so that a deployment
really asks the registry for it.
"""

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.lab.components import Registry, docker, run

Behaviour = Literal["good", "unhealthy", "dies", "crashloop", "nohealth", "once", "slow"]

SOURCES: Final = Path(__file__).with_name("images")
LABEL: Final = "deploy-actions.lab.context"
LOCAL: Final = "deploy-actions-lab"

# Everything but these has the health check that is right for a service that is up in no time.
_STAGES: Final[dict[str, str]] = {"nohealth": "nohealth", "once": "nohealth", "slow": "slow"}

_UNREAD: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _System:
    """A database server out of Debian's packages: their names, and what is left out of them."""

    name: str
    tag: str
    packages: str
    left_out: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """All that decides what is in it."""
        return f"{self.packages} {(*_UNREAD, *self.left_out)}"


# LLVM is half of the image; without its plug-in the server compiles nothing just in time.
_POSTGRES: Final = _System(
    name="postgres",
    tag="15",
    packages="postgresql-15,postgresql-client-15",
    left_out=("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/15/lib/*llvmjit*"),
)
# Each of the tools is as large as the client: most of the image would be what nobody calls.
_TOOLS: Final = (
    *("aria_*", "innochecksum", "myisam*", "perror", "replace", "resolve_stack_dump"),
    *("mariadb-binlog", "mariadb-c*", "mariadb-import", "mariadb-plugin", "mariadb-s*", "mariadb-t*"),
    *("mariadb-upgrade", "mariadb-waitpid", "mariadbd-safe-helper"),
)
_MARIADB: Final = _System(
    name="mariadb",
    tag="10.11",
    packages="mariadb-server,mariadb-client",
    left_out=("/usr/share/mysql/*/*", *(f"/usr/bin/{name}" for name in _TOOLS)),
)


class Hello:
    """Builds the application and pushes it to one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def push(
        self, repository: str, *, tag: str, behaviour: Behaviour = "good", version: str | None = None
    ) -> str:
        """Push `repository:tag` and return its digest; `version` is what /version.txt says, else the tag.

        The digest follows from behaviour and version alone: two repositories given the same ones share it,
        and a tag is moved by pushing it again with another version or behaviour.
        """
        local = build_hello(behaviour, version or tag)
        return push(local, f"{self._registry.address}/{repository}:{tag}")

    def reference(self, repository: str) -> str:
        """The repository's full name, as deploy.yml and a Compose file write it."""
        return f"{self._registry.address}/{repository}"

    def forget(self, version: str, *, behaviour: Behaviour = "good") -> None:
        """Let go of the laboratory's own copy, after which nothing but a deployment keeps the image alive."""
        docker("image", "rm", _hello_name(behaviour, version))


def build_hello(behaviour: Behaviour, version: str) -> str:
    """The local name of the application with this behaviour and version, built when there is none."""
    busybox = shutil.which("busybox")
    assert busybox is not None, "busybox-static is not installed"
    sources = SOURCES / "hello"
    context = _hash(*sorted(sources.iterdir()), Path(busybox))
    name = _hello_name(behaviour, version)
    if _built_from(name) == context:
        return name
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(sources, folder, dirs_exist_ok=True)
        shutil.copy(busybox, Path(folder, "busybox"))
        stage = _STAGES.get(behaviour, "health")
        _build(name, context, Path(folder), STAGE=stage, BEHAVIOUR=behaviour, VERSION=version)
    return name


def build_postgres() -> str:
    """The local name of the PostgreSQL image; its packages are fetched once and kept in the cache folder."""
    return _built(_POSTGRES)


def build_mariadb() -> str:
    """The same for MariaDB."""
    return _built(_MARIADB)


def _built(system: _System) -> str:
    sources = SOURCES / system.name
    context = _hash(*sorted(sources.iterdir()), extra=system.recipe)
    name = f"{LOCAL}/{system.name}:{system.tag}"
    if _built_from(name) != context:
        known = hashlib.sha256(system.recipe.encode()).hexdigest()[:12]
        base = f"{LOCAL}/{system.name}-system:{known}"
        if _built_from(base) is None:
            docker("import", "--change", f"LABEL {LABEL}={known}", _archive(system, known), base)
        _build(name, context, sources, BASE=base)
    return name


def push(local: str, remote: str) -> str:
    """Push a local image under another name, which the engine then forgets; returns the digest."""
    docker("tag", local, remote)
    try:
        printed = docker("push", remote)
    finally:
        docker("image", "rm", remote)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64}) ", printed)
    assert digest is not None, printed
    return digest[1]


def remove_pulled(registry: Registry) -> None:
    """Remove every name of a registry that is about to vanish from the engine."""
    rows = docker("image", "ls", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}").splitlines()
    for repository, tag, digest in (row.split() for row in rows):
        if repository.startswith(f"{registry.address}/"):
            name = f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"
            docker("image", "rm", "--force", name)


def cache_folder() -> Path:
    """Where what is slow to fetch is kept between runs; DEPLOY_ACTIONS_LAB_CACHE moves it."""
    if chosen := os.environ.get("DEPLOY_ACTIONS_LAB_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "deploy-actions-lab")


def _hello_name(behaviour: Behaviour, version: str) -> str:
    return f"{LOCAL}/hello-{behaviour}:{version}"


def _build(name: str, context: str, folder: Path, **arguments: str) -> None:
    # The classic builder: Debian has no BuildKit plug-in, and newer clients ask for one by default.
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    run("docker", "build", "--quiet", "--label", f"{LABEL}={context}", "--tag", name, *given, folder, env=env)


def _built_from(name: str) -> str | None:
    """The hash of the sources that an image in the engine was built from; None without such an image."""
    try:
        return docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name).strip()
    except RuntimeError:
        return None


def _hash(*files: Path, extra: str = "") -> str:
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _archive(system: _System, known: str) -> Path:
    """A tar of a minimal Debian with the server, from the mirror this machine already uses."""
    archive = cache_folder() / f"{system.name}-system-{known}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            fresh = Path(folder, "system.tar")
            left_out = [f"--dpkgopt=path-exclude={path}" for path in (*_UNREAD, *system.left_out)]
            include = ("--variant=essential", f"--include={system.packages}")
            run("mmdebstrap", *include, *left_out, "bookworm", fresh, _debian_mirror(), limit=600)
            fresh.replace(archive)
    return archive


def _debian_mirror() -> str:
    listed = run("apt-get", "indextargets", "--format", "$(CREATED_BY) $(ORIGIN) $(REPO_URI)")
    rows = (row.split() for row in listed.splitlines())
    mirrors = [row[2] for row in rows if row[:2] == ["Packages", "Debian"] and "security" not in row[2]]
    assert mirrors, "apt has no Debian source; run apt-get update"
    return mirrors[0]
