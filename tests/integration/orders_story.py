"""examples/orders as a caller's repository: pushed twice, the second time with a migration that fails.

Only what names machines is changed in it: hosts, paths, registry, and the images that nobody here can pull.
And what makes it wait: limits of CPU, and how often the engine looks at health.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from tests.integration.act_support import Caller, Ran
from tests.lab import examples, images
from tests.lab.components import compose, docker
from tests.lab.images import Hello
from tests.lab.orders import base

BROKEN = """\
\"\"\"Half of it works.\"\"\"

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN half text")
    op.execute("ALTER TABLE no_such_table ADD COLUMN other text")
"""


@dataclass(frozen=True)
class OrdersStage:
    """The example in a folder; what it deploys, and its records, lie beside that."""

    caller: Caller
    folder: Path
    project: str

    @classmethod
    def prepare(cls, folder: Path, project: str, hello: Hello, cache: Path, postgres: str) -> Self:
        repository = examples.copy("orders", folder / "caller")
        database = hello.reference("acme/postgres") + ":15"
        images.push(postgres, database)
        layer = base(repository)
        stage = cls(Caller(folder=repository, cache=cache), folder, project)
        stage.edit("stacks/orders/docker-compose.yml", "postgres:16-alpine", database)
        stage.edit("stacks/orders/docker-compose.yml", "cpus: 0.5", "cpus: 1")
        stage.edit("stacks/orders/docker-compose.yml", "interval: 5s", "interval: 2s")
        config = YAML(typ="safe").load((repository / "deploy.yml").read_text())
        stage.at_home(config, hello.reference("acme/orders"), layer)
        (repository / "deploy.yml").write_text(json.dumps(config))
        for environment in ("staging", "production"):
            run_dir = stage.run_dir(environment)
            run_dir.mkdir(parents=True)
            (run_dir / ".env").write_text("POSTGRES_PASSWORD=only-for-tests\nORDERS_PORT=0\n")
        return stage

    def at_home(self, config: dict[str, Any], repository: str, layer: str) -> None:
        """Everything of deploy.yml that names a machine becomes this one."""
        config["hosts"] = {"web1": {"local": True}}
        config["records"]["path"] = f"{self.folder}/releases"
        stack = config["stacks"]["orders"]
        stack["compose"]["run_dir"] = f"{self.folder}/stacks/{{environment}}"
        stack["compose"]["project"] = f"{self.project}-{{environment}}"
        stack["images"]["orders"]["repository"] = repository
        stack["images"]["orders"]["build"] |= {"args": {"BASE": layer}, "builder": "classic"}
        stack["backup"]["path"] = f"{self.folder}/backups"
        stack["preflight"]["disk_free"] = "1%"

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.caller.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run_dir(self, environment: str) -> Path:
        return self.folder / "stacks" / environment

    def push(self, release: Path) -> tuple[str, Ran]:
        """Commit, and run what a push to main runs; returns the version and the run."""
        version = f"sha-{self.caller.commit()}"
        return version, self.caller.act(release, "cd.yml")

    def serves(self, environment: str) -> str:
        """The version that the service itself names."""
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/version').read().decode())"
        words = ("exec", "-T", "api", "python", "-c", ask)
        answer = compose(f"{self.project}-{environment}", self.run_dir(environment), *words)
        return str(json.loads(answer)["version"])

    def schema(self, environment: str) -> str:
        """The revision, and whether anything of the broken one is there."""
        name = f"label=com.docker.compose.project={self.project}-{environment}"
        only = ("--filter", name, "--filter", "label=com.docker.compose.service=db")
        (container,) = docker("ps", "-q", *only).split()
        columns = "information_schema.columns WHERE table_name = 'orders' AND column_name = 'half'"
        query = f"SELECT version_num || '/' || (SELECT count(*) FROM {columns}) FROM alembic_version"
        return docker("exec", container, "psql", "-U", "orders", "-d", "orders", "-Atc", query).strip()
