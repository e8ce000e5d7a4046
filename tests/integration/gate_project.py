"""A small project with a gate, for tests by the real command line."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.shop import START

CODE = "def add(one: int, two: int) -> int:\n    return one + two\n"
TEST = "from lib import add\n\n\ndef test_add() -> None:\n    assert add(1, 2) == 3\n"


class Project:
    """A folder with a deploy.yml whose gate has these jobs."""

    def __init__(self, folder: Path, *jobs: dict[str, Any]) -> None:
        self.folder = folder
        (folder / "lib.py").write_text(CODE)
        (folder / "test_lib.py").write_text(TEST)
        self.write(*jobs)

    def write(self, *jobs: dict[str, Any]) -> None:
        """Give the gate these jobs."""
        image = {"repository": "builds/app", "services": ["web"]}
        config = {
            "version": 1,
            "records": {"store": "directory", "path": "records"},
            "hosts": {"here": {"local": True}},
            "environments": {"staging": {"tier": "staging", "owner": "team", "hosts": ["here"]}},
            "stacks": {
                "shop": {
                    "target": "process",
                    "images": {"app": image},
                    "process": {"services": {"web": {"command": ["python3", "app.py"]}}},
                }
            },
            "gate": {"jobs": list(jobs)},
        }
        (self.folder / "deploy.yml").write_text(json.dumps(config))

    def call(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        argv = [*START, "lint-test", "--evidence", str(self.folder / "evidence"), *words]
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=60, cwd=self.folder, env={**os.environ, **env}
        )

    def evidence(self, name: str) -> str:
        (folder,) = (self.folder / "evidence").iterdir()
        return (folder / name).read_text()
