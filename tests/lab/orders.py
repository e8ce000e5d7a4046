"""The image of examples/orders, built by its own Dockerfile on a machine that can pull none.

BASE takes the place of python:3.12-slim: a small Debian with Python and pip, and with what the Dockerfile
fetches (uv, and uv's cache filled from the lock file), so that the build needs no network.
"""

import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.lab.components import docker, run
from tests.lab.examples import copy, environment
from tests.lab.images import LABEL, LOCAL, _build, _built_from, _debian_mirror, _hash, cache_folder

_PACKAGES: Final = "python3,python3-pip"
_PYTHON: Final = "3.11"  # Debian 12's
_BASE: Final = """\
ARG SYSTEM
FROM $SYSTEM
COPY wheels /opt/wheels
COPY cache /opt/cache
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels PIP_BREAK_SYSTEM_PACKAGES=1 UV_OFFLINE=1 UV_CACHE_DIR=/opt/cache
"""


def build_orders(version: str, project: Path | None = None) -> str:
    """The local name of the image with this version; `project` is a changed copy of the example."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = project or copy("orders", Path(temporary, "orders"))
        sources = sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
        name = f"{LOCAL}/orders:{version}"
        context = _hash(*sources)
        if _built_from(name) != context:
            _build(name, context, folder, BASE=_base(folder), VERSION=version)
        return name


def _base(project: Path) -> str:
    """What the Dockerfile begins with, for this lock file."""
    found = re.search(r"uv==([0-9.]+)", (project / "Dockerfile").read_text())
    assert found is not None
    context = _hash(project / "pyproject.toml", project / "uv.lock", extra=f"{_BASE}{found[1]}")
    name = f"{LOCAL}/orders-base:{context[:12]}"
    if _built_from(name) == context:
        return name
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"uv=={found[1]}")
        run(*pip, "--dest", folder / "wheels", limit=300)
        env = {**os.environ, **environment(folder / "bin"), "UV_CACHE_DIR": str(folder / "cache")}
        env["UV_PROJECT_ENVIRONMENT"] = str(folder / "bin" / "environment")
        run("uv", "sync", "--locked", "--no-dev", "--python", _PYTHON, directory=project, env=env, limit=300)
        (folder / "Dockerfile").write_text(_BASE)
        (folder / ".dockerignore").write_text("bin\n")
        _build(name, context, folder, SYSTEM=_system())
    return name


def _system() -> str:
    """A minimal Debian with Python and pip; its packages are fetched once and kept in the cache folder."""
    known = hashlib.sha256(_PACKAGES.encode()).hexdigest()[:12]
    name, archive = f"{LOCAL}/python-system:{known}", cache_folder() / f"python-system-{known}.tar"
    if _built_from(name) is not None:
        return name
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            fresh = Path(folder, "system.tar")
            wanted = (
                "--variant=essential",
                f"--include={_PACKAGES}",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
            )
            run("mmdebstrap", *wanted, "bookworm", fresh, _debian_mirror(), limit=600)
            fresh.replace(archive)
    docker("import", "--change", f"LABEL {LABEL}={known}", archive, name)
    return name


if __name__ == "__main__":
    print(build_orders("1"))
