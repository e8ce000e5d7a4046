"""The projects in examples/, each as a repository of its own, with what its gate needs.

uv, pnpm and mypy keep what they have fetched and seen in their caches. Run as a program, this fills them, so
that tests need no network, and no time for it.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.lab.components import run
from tests.lab.images import cache_folder

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns(
    "node_modules", "dist", ".venv", ".deploy-actions", "__pycache__", ".*_cache"
)
_INSTALL = {"orders": ("uv", "sync", "--locked"), "board": ("pnpm", "install", "--frozen-lockfile")}


def program(name: str) -> str | None:
    """Where uv or pnpm is: beside this Python, in the laboratory's Node packages, or on PATH."""
    folders = (Path(sys.executable).parent, ROOT / "tests/lab/node/node_modules/.bin", os.environ["PATH"])
    return shutil.which(name, path=os.pathsep.join(map(str, folders)))


def missing() -> str | None:
    """None, or the reason why no gate of an example can run."""
    absent = [name for name in ("uv", "pnpm", "node", "git") if not program(name)]
    return f"{' and '.join(absent)} not installed" if absent else None


def environment(folder: Path) -> dict[str, str]:
    """The variables with which uv and pnpm are found, and nothing else of this very Python's tools.

    A project that forgot to lock its linter must not find ours. ``folder`` gets links to the two.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("uv", "pnpm"):
        found, link = program(name), folder / name
        assert found is not None, f"{name} is not installed"
        if not link.is_symlink():
            link.symlink_to(Path(found).resolve())
    here = str(Path(sys.executable).parent)
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != here]
    return {"PATH": os.pathsep.join([str(folder), *path]), "MYPY_CACHE_DIR": str(cache_folder() / "mypy")}


def copy(name: str, folder: Path) -> Path:
    """The example as a repository with one commit: scanners look at what is tracked."""
    shutil.copytree(ROOT / "examples" / name, folder, ignore=_LEFT_OUT)
    run("git", "init", "-q", "-b", "main", directory=folder)
    run("git", "add", "-A", directory=folder)
    user = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
    run("git", *user, "commit", "-q", "-m", "the example", directory=folder)
    return folder


def install(name: str, folder: Path, env: dict[str, str]) -> None:
    """Install the dependencies of a copy."""
    run(*_INSTALL[name], directory=folder, env={**os.environ, **env}, limit=300)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        env = environment(Path(temporary, "bin"))
        for name in _INSTALL:
            install(name, copy(name, Path(temporary, name)), env)
        run("uv", "run", "mypy", ".", directory=Path(temporary, "orders"), env={**os.environ, **env})


if __name__ == "__main__":
    main()
