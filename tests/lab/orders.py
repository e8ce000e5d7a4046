"""The image of examples/orders, built by its own Dockerfile on a machine that can pull none.

BASE takes the place of python:3.12-slim: a small Debian with Python and pip, and with what the Dockerfile
fetches (uv, and uv's cache filled from the lock file), so that the build needs no network.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.lab.components import run
from tests.lab.examples import copy, environment
from tests.lab.images import LOCAL, System, _build, _built_from, _hash

SYSTEM: Final = System(name="python", packages="python3,python3-pip")
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
            _build(name, context, folder, BASE=base(folder), DEPLOY_VERSION=version)
        return name


def base(project: Path) -> str:
    """What the Dockerfile of a copy begins with, for this lock file."""
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
        _build(name, context, folder, SYSTEM=SYSTEM.base())
    return name


if __name__ == "__main__":
    print(build_orders("1"))
