"""`doctor` by the whole command line: a terminal, a GitHub, hosts behind SSH, registries, ledgers."""

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.forge.fake_github import TOKEN
from tests.contract.forge.test_doctor import good_hub
from tests.contract.forge.test_github_rules import checks
from tests.integration.conftest import Require
from tests.integration.shop import START
from tests.integration.test_forge import Hub
from tests.integration.test_forge import hub as hub
from tests.integration.test_process import ENVIRONMENT, Project
from tests.integration.test_process import project as project
from tests.lab.components import PASSWORD, USER, Registry, Sshd
from tests.lab.git import bare

RUN_OF_A_TERMINAL = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_TOKEN": TOKEN}


def trace(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with what is in it."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Name → standing and value, of what `--json` printed."""
    found = json.loads(text[text.index("[\n") :])
    return {row["name"]: (row["standing"], row["value"]) for row in found}


def test_on_a_bare_terminal_the_machine_is_looked_at_and_the_forge_is_not_known(project: Project) -> None:
    before = trace(project.folder)
    text = project.run("doctor", ends=11)
    assert trace(project.folder) == before
    assert "UNKNOWN  branch main: " in text
    assert text.count("next: run it in a job, or set GITHUB_REPOSITORY and GITHUB_TOKEN") == 1
    assert "ok       host here: this machine" in text
    assert "ok       records: 0 records of hello" in text
    assert text.strip().splitlines()[-1] == "4 looked at: 2 unknown, 2 ok"


def test_with_a_persons_token_a_terminal_asks_github(hub: Hub, project: Project) -> None:
    good_hub(hub.fake)
    project.deploy("v1")
    api = {"GITHUB_API_URL": hub.environment["GITHUB_API_URL"]}
    found = rows(project.run("doctor", "--json", **RUN_OF_A_TERMINAL, **api))
    assert found["branch main"] == ("ok", "demands Gate, docs; reviews: 1")
    assert found["environment production: approval"][0] == "ok"
    assert found["records"][0] == "ok"
    assert {asked.method for asked in hub.fake.asked} == {"GET"}


def test_in_a_job_what_is_missing_ends_with_4_and_nothing_shows_the_token(
    hub: Hub, project: Project, tmp_path: Path
) -> None:
    good_hub(hub.fake)
    hub.fake.world.rules[0] = checks("docs")
    hub.fake.world.branches["trunk"] = hub.fake.world.branches["main"] | {"name": "trunk"}
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "trunk"}}))
    env = hub.environment | {"GITHUB_EVENT_PATH": str(event)}
    text = project.run("doctor", "--json", "--check", "Gate", ends=4, **env)
    assert rows(text)["branch trunk"] == ("missing", "does not demand Gate; demands docs")
    assert TOKEN not in text.replace(f"::add-mask::{TOKEN}", "")
    assert rows(project.run("doctor", "--json", ends=11, **env))["branch trunk"] == (
        "unknown",
        "demands docs; which of them is the gate?",
    )


def test_a_damaged_ledger_is_missing_and_the_rest_is_told(project: Project) -> None:
    project.deploy("v1")
    ledger = project.folder / "records" / "stacks" / "hello" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"v1"', '"v9"', 1))
    found = rows(project.run("doctor", "--json", ends=4))
    standing, value = found["records"]
    assert (standing, value.partition(":")[0]) == ("missing", "the ledger is damaged")
    assert found["host here"][0] == "ok"


def test_a_ledger_in_a_branch_is_read_and_a_remote_that_is_gone_is_unknown(project: Project) -> None:
    remote = bare(project.folder / "ledger.git")
    project.edit("deploy.yml", "{store: directory, path: records}", "{store: git, remote: ./ledger.git}")
    assert rows(project.run("doctor", "--json", ends=11))["records"] == ("ok", "0 records of hello")
    project.deploy("v1")
    before = trace(project.folder)
    found = rows(project.run("doctor", "--json", ends=11))
    assert trace(project.folder) == before
    assert found["records"][0] == "ok"
    assert found["runner: git"][1].startswith("git version")
    remote.rename(project.folder / "moved.git")
    assert rows(project.run("doctor", "--json", ends=11))["records"][0] == "unknown"


def test_a_mistake_in_the_call_is_no_row(project: Project) -> None:
    assert "no environment" in project.run("doctor", "--environment", "prod", ends=2)


@dataclass
class Yard:
    """A stack for a host behind SSH, which nobody ever deployed."""

    folder: Path
    sshd: Sshd
    registry: Registry
    host: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    login: bool = True

    def __post_init__(self) -> None:
        self.host = {
            "ssh": f"{self.sshd.user}@{self.sshd.host}:{self.sshd.port}",
            "known_hosts": str(self.sshd.known_hosts),
            "key_env": "DEPLOY_KEY",
        }
        self.env = {
            "DEPLOY_KEY": self.sshd.private_key.read_text(),
            "SSH_AUTH_SOCK": "",
            "REGISTRY_USER": USER,
            "REGISTRY_PASSWORD": PASSWORD,
            "DOCKER_CONFIG": str(self.folder / "none"),
        }

    def doctor(self, *, ends: int) -> dict[str, tuple[str, str]]:
        login = {"username_env": "REGISTRY_USER", "password_env": "REGISTRY_PASSWORD"}
        repositories = {name: f"{self.registry.address}/acme/{name}" for name in ("api", "web")}
        config = {
            "version": 1,
            "records": {"host": "web1", "path": str(self.folder / "srv" / "releases")},
            "hosts": {"web1": self.host},
            "environments": {"test": {"tier": "testing", "owner": "team", "hosts": ["web1"]}},
            "stacks": {
                "shop": {
                    "target": "compose",
                    "compose": {"run_dir": str(self.folder / "srv" / "shop")},
                    "preflight": {"disk_free": "0%"},
                    "registries": {self.registry.address: login} if self.login else {},
                    "images": {
                        name: {"repository": repository, "services": [name]}
                        for name, repository in repositories.items()
                    },
                }
            },
        }
        (self.folder / "deploy.yml").write_text(json.dumps(config))
        ran = subprocess.run(
            [*START, "doctor", "--json"],
            cwd=self.folder,
            env=ENVIRONMENT | self.env,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert ran.returncode == ends, f"{ran.stdout}\n{ran.stderr}"
        assert PASSWORD not in ran.stdout + ran.stderr
        found = rows(ran.stdout)
        # There is no forge here: that is another test.
        return {name: row for name, row in found.items() if not name.startswith("branch")}

    def image(self, name: str) -> str:
        return f"image {self.registry.address}/acme/{name}"


@pytest.fixture
def yard(tmp_path: Path, require: Require, engine: None, sshd: Sshd) -> Iterator[Yard]:
    require("registry", Registry.missing())
    folder = tmp_path / "shop"
    folder.mkdir()
    with Registry(tmp_path / "closed", login=True) as registry:
        yield Yard(folder=folder, sshd=sshd, registry=registry)


HOST_ROWS = [
    "test on web1: tools on the host",
    "test on web1: Docker engine",
    "test on web1: Docker Compose",
    "test on web1: files in the run directory",
]


def test_all_that_a_release_needs_is_found_on_real_machines_and_nothing_is_left_there(yard: Yard) -> None:
    found = yard.doctor(ends=11)  # the branch alone is not known
    assert {standing for standing, _ in found.values()} == {"ok"}, found
    assert found["host web1"] == ("ok", "answers")
    assert found["host web1: clock"] == ("ok", "right")
    assert found["runner: ssh"][1].startswith("OpenSSH")
    assert set(HOST_ROWS) < set(found)
    assert found["environment test: DEPLOY_KEY"] == ("ok", "set in this job")
    assert found[yard.image("api")] == ("ok", "answers")
    assert [path.name for path in yard.folder.iterdir()] == ["deploy.yml"]


def test_a_host_that_is_gone_is_unknown_with_what_stands_on_it_and_the_rest_is_told(yard: Yard) -> None:
    with yard.sshd.stopped():
        found = yard.doctor(ends=11)
    assert found["host web1"][0] == "unknown"
    assert "nothing listens on its SSH port" in found["host web1"][1]
    assert found["records"][0] == "unknown"
    assert not set(HOST_ROWS) & set(found)
    assert found[yard.image("web")] == ("ok", "answers")


def test_a_host_that_takes_connections_and_says_nothing_is_given_up(yard: Yard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        known = yard.folder.parent / "known_hosts"
        known.write_text(yard.sshd.known_hosts.read_text().replace(str(yard.sshd.port), str(port)))
        yard.host |= {"ssh": f"{yard.sshd.user}@127.0.0.1:{port}", "known_hosts": str(known)}
        found = yard.doctor(ends=11)
    assert found["host web1"][0] == "unknown", found
    assert found[yard.image("api")] == ("ok", "answers")


def test_a_host_with_another_key_is_missing(yard: Yard) -> None:
    yard.host |= {"known_hosts": str(yard.sshd.wrong_known_hosts)}
    found = yard.doctor(ends=4)
    assert found["host web1"][0] == "missing"
    assert "shows another key" in found["host web1"][1]
    assert found["records"] == ("unknown", "not asked: host web1 lets nobody in")
    assert found[yard.image("api")] == ("ok", "answers")


def test_known_hosts_that_are_not_there_are_missing(yard: Yard) -> None:
    yard.host |= {"known_hosts": "ops/known_hosts"}
    assert yard.doctor(ends=4)["host web1"] == (
        "missing",
        "hosts.web1.known_hosts: there is no file ops/known_hosts",
    )


def test_a_key_that_this_job_does_not_have_is_unknown_and_not_tried_without(yard: Yard) -> None:
    for value in ("", None):
        if value is None:
            del yard.env["DEPLOY_KEY"]
        else:
            yard.env["DEPLOY_KEY"] = value
        found = yard.doctor(ends=11)
        assert found["host web1"] == ("unknown", "cannot be asked: DEPLOY_KEY is not set here")
        assert found["environment test: DEPLOY_KEY"][0] == "unknown"
        assert found["records"][0] == "unknown"


def test_a_login_that_the_registry_refuses_is_missing(yard: Yard) -> None:
    yard.env["REGISTRY_PASSWORD"] = "wrong-password-of-nobody"
    found = yard.doctor(ends=4)
    standing, value = found[yard.image("api")]
    assert standing == "missing"
    assert "refused" in value
    assert found[yard.image("web")][0] == "missing"
    assert found["host web1"][0] == "ok"


def test_a_registry_that_wants_a_login_which_nobody_named_is_missing(yard: Yard) -> None:
    yard.login = False
    standing, value = yard.doctor(ends=4)[yard.image("api")]
    assert standing == "missing"
    assert "wants a login, and there are no credentials for it" in value


def test_a_registry_that_is_gone_is_asked_once(yard: Yard) -> None:
    with yard.registry.stopped():
        found = yard.doctor(ends=11)
    assert "does not answer" in found[yard.image("api")][1]
    assert found[yard.image("web")] == (
        "unknown",
        f"not asked: {yard.registry.address} did not answer before",
    )
    assert found["records"][0] == "ok"
