"""Images of the tests, built on this machine: `hello`, databases, a service with migrations, a job's Debian.

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

from tests.lab import layers
from tests.lab.components import Registry, docker, run

Behaviour = Literal["good", "unhealthy", "dies", "crashloop", "nohealth", "once", "slow"]

SOURCES: Final = Path(__file__).with_name("images")
LABEL: Final = "deploy-actions.lab.context"
LOCAL: Final = "deploy-actions-lab"
PRUNE: Final = ("image", "prune", "--force", "--filter", f"label={LABEL}")
"""As a person prunes, but of nothing that others build beside."""

# Everything but these has the health check that is right for a service that is up in no time.
_STAGES: Final[dict[str, str]] = {"nohealth": "nohealth", "once": "nohealth", "slow": "slow"}


@dataclass(frozen=True)
class System:
    """A minimal Debian with some packages, from the mirror this machine already uses."""

    name: str
    packages: str
    left_out: tuple[str, ...] = ()

    def base(self) -> str:
        """The local name of its image; it is fetched once, and kept in the cache folder."""
        digest = hashlib.sha256(f"{self}".encode()).hexdigest()[:12]
        base = f"{LOCAL}/{self.name}-system:{digest}"
        if _built_from(base) is None:
            archive = cache_folder() / f"{self.name}-system-{digest}.tar"
            if not archive.exists():
                self._fetch(archive)
            docker("import", "--change", f"LABEL {LABEL}={digest}", archive, base)
        return base

    def built(self, tag: str) -> str:
        """The local name of the image that `images/<name>/` makes of it."""
        sources = SOURCES / self.name
        context = _hash(*sorted(sources.iterdir()), extra=f"{self}")
        name = f"{LOCAL}/{self.name}:{tag}"
        if _built_from(name) != context:
            _build(name, context, sources, BASE=self.base())
        return name

    def _fetch(self, archive: Path) -> None:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            fresh = Path(folder, "system.tar")
            left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in (*_UNREAD, *self.left_out)]
            include = ("--variant=essential", f"--include={self.packages}")
            run("mmdebstrap", *include, *left_out, "bookworm", fresh, _debian_mirror(), limit=600)
            fresh.replace(archive)


_UNREAD: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_POSTGRES: Final = System(
    name="postgres",
    packages="postgresql-15,postgresql-client-15",
    # LLVM is half of the image; without its plug-in the server compiles nothing just in time.
    left_out=("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/15/lib/*llvmjit*"),
)
# Each of the tools is as large as the client: most of the image would be what nobody calls.
_TOOLS: Final = (
    *("aria_*", "innochecksum", "myisam*", "perror", "replace", "resolve_stack_dump"),
    *("mariadb-binlog", "mariadb-c*", "mariadb-import", "mariadb-plugin", "mariadb-s*", "mariadb-t*"),
    *("mariadb-upgrade", "mariadb-waitpid", "mariadbd-safe-helper"),
)
_MARIADB: Final = System(
    name="mariadb",
    packages="mariadb-server,mariadb-client",
    left_out=("/usr/share/mysql/*/*", *(f"/usr/bin/{name}" for name in _TOOLS)),
)
_ALEMBIC: Final = System(name="alembic", packages="alembic,python3-psycopg2,python3-pymysql")
# What docs/how-to/gitlab.md says a job needs, and nothing else but certificates.
_JOB: Final = System(
    name="job", packages="python3,python3-pip,python3-venv,git,openssh-client,ca-certificates"
)
_HELPER: Final = System(name="helper", packages="rsync")


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
    return _POSTGRES.built("15")


def build_mariadb() -> str:
    """The same for MariaDB."""
    return _MARIADB.built("10.11")


def build_alembic(version: str, *revisions: str) -> str:
    """The local name of a service whose image holds these migrations: `0001_orders`, `0002_note`, …"""
    sources = SOURCES / "alembic"
    files = [path for path in sorted(sources.iterdir()) if path.is_file()]
    chosen = [sources / "versions" / f"{name}.py" for name in revisions]
    context = _hash(*files, *chosen, extra=f"{_ALEMBIC}")
    name = f"{LOCAL}/alembic:{version}"
    if _built_from(name) != context:
        with tempfile.TemporaryDirectory() as folder:
            versions = Path(folder, "versions")
            versions.mkdir()
            for path in files:
                shutil.copy(path, folder)
            for path in chosen:
                shutil.copy(path, versions)
            _build(name, context, Path(folder), BASE=_ALEMBIC.base(), VERSION=version)
    return name


def job_image() -> str:
    """The local name of a plain image for a job of GitLab: a Debian with what such a job needs."""
    return _JOB.base()


def helper_image() -> str:
    """The local name of what gitlab-ci-local copies a job's files with, into its container and out of it."""
    return _HELPER.base()


def prepare() -> None:
    """Fetch what is slow to fetch: before the tests, so that no test's own time limit has to allow for it."""
    build_postgres()
    build_mariadb()
    _ALEMBIC.base()
    job_image()
    helper_image()


def push(local: str, remote: str) -> str:
    """Push a local image under another name, which the engine then forgets; returns the digest."""
    layers.lend(local, remote, cache_folder() / "layers")
    docker("tag", local, remote)
    try:
        printed = docker("push", remote)
    finally:
        docker("image", "rm", remote)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64}) ", printed)
    assert digest is not None, printed
    layers.keep(local, remote, digest[1], cache_folder() / "layers")
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


def buildx_plugin() -> Path | None:
    """Docker's plug-in buildx, which `install.sh` puts where only the tests find it."""
    return _cached("docker-buildx")


def cosign_program() -> Path | None:
    """The verifier that people use, which `install.sh` puts there too."""
    return _cached("cosign")


def _cached(name: str) -> Path | None:
    path = cache_folder() / name
    return path if path.exists() else None


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


def _debian_mirror() -> str:
    listed = run("apt-get", "indextargets", "--format", "$(CREATED_BY) $(ORIGIN) $(REPO_URI)")
    rows = (row.split() for row in listed.splitlines())
    mirrors = [row[2] for row in rows if row[:2] == ["Packages", "Debian"] and "security" not in row[2]]
    assert mirrors, "apt has no Debian source; run apt-get update"
    return mirrors[0]
