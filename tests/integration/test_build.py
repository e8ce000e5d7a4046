"""Images built and pushed by the real command line, with both builders, and what happens when that fails."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.images import Reference
from ci_lib.images.remote import remote_image
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.system import SystemClock
from tests.integration.build_support import DOCKERFILE, FAILS, HANGS, Repository
from tests.integration.conftest import Require
from tests.integration.shop import Shop
from tests.lab.components import PASSWORD, USER, Registry, docker, run, wait_for
from tests.lab.images import Hello, buildx_plugin, remove_pulled

Make = Callable[..., Repository]
BUILDERS = pytest.mark.parametrize("builder", ["classic", "buildx"])


@pytest.fixture
def make(require: Require, registry: Registry, tmp_path: Path) -> Make:
    """Makes the repository; of one that wants buildx the test is skipped where there is none."""

    def repository(builder: str = "classic", address: str = registry.address, **more: Any) -> Repository:
        if builder == "buildx":
            require("buildx", None if buildx_plugin() else "docker-buildx is not installed")
        return Repository(tmp_path / "checkout", address, builder, **more)

    return repository


@pytest.fixture
def guarded(require: Require, engine: None, tmp_path: Path) -> Iterator[Registry]:
    """A registry that wants a password."""
    require("registry", Registry.missing())
    with Registry(tmp_path / "guarded", login=True) as running:
        yield running
        remove_pulled(running)


@BUILDERS
def test_a_commit_becomes_an_image_that_says_where_it_is_from(make: Make, builder: str) -> None:
    repository = make(builder, build={"tags": ["main"], "args": {"UNUSED": "$(id) x"}})
    commit = repository.commit()
    done = repository.call()
    assert (done.code, done.status) == (0, "passed"), done
    result = done.result
    version = f"sha-{commit}"
    assert result["version"] == version
    (built,) = result["builds"]
    (variant,) = built["platforms"]
    assert (built["tags"], built["reused"]) == ([version, "main"], False)
    assert (variant["digest"], variant["size"] > 500_000) == (built["digest"], True)
    image = repository.inspect(f"{repository.repository}@{built['digest']}")
    at = int(run("git", "show", "-s", "--format=%ct", directory=repository.folder))
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == commit
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.source"] == "https://git.example/acme/shop.git"
    assert labels["org.opencontainers.image.created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    assert f"HELLO_VERSION={version}" in image["Config"]["Env"]
    moving = repository.inspect(f"{repository.repository}:main")
    assert moving["Id"] == image["Id"]
    assert repository.left() == []

    again = repository.call()
    assert (again.code, again.result["builds"][0]["reused"]) == (0, True), again
    assert again.result["images"][0]["digest"] == built["digest"]
    assert "in the registry already, built from this commit" in repository.evidence()


def test_what_was_built_is_deployed_by_its_version(
    make: Make, project: str, hello: Hello, tmp_path: Path
) -> None:
    repository = make("classic")
    server = 'CMD ["/bin/busybox", "sh", "-c", "exec /bin/busybox httpd -f -p 8000"]\n'
    shop = Shop(folder=tmp_path / "shop", project=project, hello=hello, small=True)
    config = json.loads((shop.folder / "deploy.yml").read_text())
    image = config["stacks"]["shop"]["images"]["web"]
    image["build"] = {"context": "app", "builder": "classic"}
    repository.commit(Dockerfile=DOCKERFILE + server)
    run("cp", "-r", "app", ".git", shop.folder, directory=repository.folder)
    (shop.folder / "deploy.yml").write_text(json.dumps(config))
    (shop.folder / ".gitignore").write_text("srv/\nevidence/\n")
    user = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
    run("git", "add", "-A", directory=shop.folder)
    run("git", *user, "commit", "-q", "-m", "a shop", directory=shop.folder)

    built = repository.call(folder=shop.folder)
    assert built.code == 0, built
    deployed = shop.call("deploy", "staging", "--version", built.result["version"])
    assert deployed.status == "deployed", deployed
    reference = built.result["images"][0]
    wanted = f"{reference['repository']}:{reference['tag']}@{reference['digest']}"
    assert shop.digests("staging", "nginx") == {wanted}


@BUILDERS
def test_a_commit_of_the_past_is_built_from_its_own_files(make: Make, builder: str) -> None:
    repository = make(builder, build={"tags": ["main"]})
    old = repository.commit()
    run("git", "tag", "v1.0.0", directory=repository.folder)
    repository.commit(words="second\n")
    newest = repository.call()
    (repository.folder / "app" / "words").write_text("in no commit\n")
    before = run("git", "status", "--porcelain", directory=repository.folder)

    done = repository.call("--ref", "v1.0.0")
    assert (done.code, done.result["version"]) == (0, f"sha-{old}"), done
    assert repository.says(f"{repository.repository}:sha-{old}") == "first"
    assert repository.says(f"{repository.repository}:main") == "second"  # which an old commit does not move
    assert newest.result["images"][0]["digest"] != done.result["images"][0]["digest"]
    assert run("git", "status", "--porcelain", directory=repository.folder) == before
    assert run("git", "worktree", "list", directory=repository.folder).count("\n") == 1
    assert repository.left() == []


def test_a_version_that_names_something_else_is_never_pushed_over(make: Make) -> None:
    repository = make()
    repository.commit()
    assert repository.call("--version", "v1").code == 0
    first = repository.inspect(f"{repository.repository}:v1")["Id"]
    other = repository.commit(words="second\n")
    done = repository.call("--version", "v1")
    assert (done.code, done.result["reason_code"]) == (3, "build"), done
    assert f"not {other}" in done.result["failure"]["cause"]
    assert repository.inspect(f"{repository.repository}:v1")["Id"] == first


@BUILDERS
def test_a_dockerfile_that_fails_is_told_by_its_error_and_nothing_is_pushed(
    make: Make, registry: Registry, builder: str
) -> None:
    repository = make(builder)
    commit = repository.commit(Dockerfile=FAILS)
    done = repository.call()
    assert (done.code, done.status, done.result["reason_code"]) == (3, "failed", "build"), done
    failure = done.result["failure"]
    assert failure["step"] == "build web"
    assert "busybox false" in failure["cause"].replace("[", "").replace("/bin/", "")
    assert not registry.holds(repository.repository.partition("/")[2], f"sha-{commit}")


@BUILDERS
def test_a_command_that_hangs_ends_at_the_limit(make: Make, builder: str) -> None:
    repository = make(builder, stack={"limits": {"build": "4s"}})
    repository.commit(Dockerfile=HANGS.replace("300", "301"))
    done = repository.call(limit=30)
    assert (done.code, done.result["reason_code"]) == (3, "build"), done
    assert "was not built within 4 s" in done.result["failure"]["cause"]
    wait_for(lambda: not sleeping("301"), "the end of the command")


def sleeping(seconds: str) -> list[Path]:
    """The commands of Dockerfiles that still sleep, wherever they run."""
    command = b"\0".join([b"/bin/busybox", b"sleep", seconds.encode(), b""])
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == command:
                found.append(path)
        except OSError:
            continue
    return found


@BUILDERS
def test_a_cancelled_build_ends_what_it_started_and_leaves_nothing(make: Make, builder: str) -> None:
    repository = make(builder)
    repository.commit(Dockerfile=HANGS.replace("300", "302"))
    with repository.started("--ref", "HEAD") as process:
        wait_for(lambda: bool(sleeping("302")), "the build")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, json.loads(out)["reason_code"]) == (130, "cancelled"), err
    wait_for(lambda: not sleeping("302"), "the end of the command")
    assert repository.left() == []


def test_what_a_killed_build_left_is_swept_by_the_next(make: Make) -> None:
    repository = make()
    repository.commit(Dockerfile=HANGS.replace("300", "303"))
    with repository.started("--ref", "HEAD") as process:
        wait_for(lambda: bool(sleeping("303")), "the build")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(repository.left()) == 1
    repository.commit(Dockerfile=DOCKERFILE)
    assert repository.call("--ref", "HEAD").code == 0
    assert repository.left() == []
    # Its docker lives on, as after any kill: the command ends with the test.
    for path in sleeping("303"):
        os.kill(int(path.parent.name), signal.SIGKILL)


def test_a_registry_that_is_gone_stops_before_anything_is_built(make: Make, tmp_path: Path) -> None:
    with Registry(tmp_path / "short") as registry:
        repository = make(address=registry.address)
        repository.commit(Dockerfile=FAILS)
    done = repository.call()
    assert (done.code, done.result["reason_code"]) == (3, "registry"), done
    assert "does not answer" in done.result["failure"]["cause"]


@BUILDERS
def test_a_password_goes_to_docker_and_nowhere_else(make: Make, guarded: Registry, builder: str) -> None:
    repository = make(builder, address=guarded.address)
    repository.commit()
    own = '{"auths": {}, "credsStore": "no-such-helper"}'
    (repository.docker / "config.json").write_text(own)
    wrong = repository.call("--username", USER, DEPLOY_ACTIONS_PASSWORD="not-the-right-one")
    assert (wrong.code, wrong.result["reason_code"]) == (3, "registry"), wrong
    assert f"the login of {USER} to {guarded.address} failed" in wrong.result["failure"]["cause"]
    right = repository.call("--username", USER, DEPLOY_ACTIONS_PASSWORD=PASSWORD)
    assert (right.code, right.status) == (0, "passed"), right
    assert (repository.docker / "config.json").read_text() == own
    assert repository.left() == []
    for password in (PASSWORD, "not-the-right-one"):
        assert password not in f"{wrong}{right}{repository.evidence()}"


def test_logins_of_deploy_yml_are_used(make: Make, guarded: Registry) -> None:
    named = {"username_env": "REGISTRY_USER", "password_env": "REGISTRY_TOKEN"}
    repository = make(address=guarded.address, stack={"registries": {guarded.address: named}})
    repository.commit()
    unset = repository.call()
    assert (unset.code, unset.result["reason_code"]) == (2, "config"), unset
    assert repository.call(REGISTRY_USER=USER, REGISTRY_TOKEN=PASSWORD).code == 0


def test_without_a_login_the_push_is_refused_and_told(make: Make, guarded: Registry) -> None:
    repository = make(address=guarded.address)
    repository.commit()
    done = repository.call()
    assert (done.code, done.result["reason_code"]) == (3, "registry"), done
    assert "there are no credentials for it" in done.result["failure"]["cause"]


def test_files_in_no_commit_are_refused_by_name_unless_allowed(make: Make) -> None:
    repository = make()
    commit = repository.commit()
    (repository.folder / "README").write_text("no image is made of this\n")
    assert repository.call().code == 0
    (repository.folder / "app" / "new file").write_text("x")
    (repository.folder / "app" / "words").write_text("changed\n")
    done = repository.call()
    assert (done.code, done.result["reason_code"]) == (3, "build"), done
    assert done.result["failure"]["cause"] == "not as committed: app/words, app/new file"
    allowed = repository.call("--allow-dirty")
    assert allowed.code == 0, allowed
    version = allowed.result["version"]
    assert version.startswith(f"sha-{commit}-dirty-20")
    assert repository.says(f"{repository.repository}:{version}") == "changed"


def test_a_commit_that_a_shallow_clone_does_not_have_is_told_with_the_way_out(
    make: Make, tmp_path: Path
) -> None:
    repository = make()
    old = repository.commit()
    repository.commit(words="second\n")
    clone = tmp_path / "shallow"
    run("git", "clone", "-q", "--depth=1", f"file://{repository.folder}", clone)
    for ref in (old, "v9", "--upload-pack=touch x", "HEAD~1", ""):
        done = repository.call(f"--ref={ref}", folder=clone)
        if not ref:  # which is as good as none
            assert done.code == 0, done
            continue
        assert (done.code, done.result["reason_code"]) == (2, "usage"), done
        assert "fetch-depth: 0" in done.result["failure"]["hint"]


def test_without_docker_one_sentence_says_so(make: Make, tmp_path: Path) -> None:
    repository = make()
    repository.commit()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to("/usr/bin/git")
    done = repository.call(PATH=str(programs))
    assert (done.code, done.result["reason_code"]) == (3, "build"), done
    assert "Docker does not answer on this machine" in done.result["failure"]["cause"]


def test_a_link_out_of_the_repository_is_not_followed(make: Make) -> None:
    repository = make(build={"context": "elsewhere"})
    (repository.folder / "elsewhere").symlink_to("/etc")
    repository.commit()
    for words in ((), ("--ref", "HEAD")):
        done = repository.call(*words)
        assert (done.code, done.result["reason_code"]) == (2, "config"), done
        assert "leads out of the repository" in done.result["failure"]["cause"]


def test_a_secret_is_there_while_it_is_built_and_not_in_the_image(make: Make) -> None:
    repository = make("buildx", build={"secrets": {"npm": "NPM_KEY"}})
    mount = 'RUN --mount=type=secret,id=npm ["/bin/busybox", "sh", "-c", '
    repository.commit(Dockerfile=f'{DOCKERFILE}{mount}"/bin/busybox wc -c /run/secrets/npm >/words"]\n')
    unset = repository.call()
    assert (unset.code, "NPM_KEY is not set" in str(unset)) == (2, True), unset
    done = repository.call(NPM_KEY="a-secret-key")
    assert done.code == 0, done
    reference = f"{repository.repository}@{done.result['images'][0]['digest']}"
    assert repository.says(reference).startswith("12 ")
    shown = docker("history", "--no-trunc", reference) + str(done) + repository.evidence()
    assert "a-secret-key" not in shown


def test_what_the_builder_of_this_machine_cannot_do_is_told_with_the_way_out(make: Make) -> None:
    repository = make("buildx", build={"platforms": ["linux/amd64", "linux/arm64"]})
    repository.commit()
    done = repository.call()
    assert done.code == 3, done
    assert "docker buildx create" in done.result["failure"]["hint"]


def test_an_index_in_a_registry_has_a_digest_for_each_of_its_images(make: Make) -> None:
    repository = make("buildx")
    repository.commit()
    digests = {repository.call("--version", tag).result["images"][0]["digest"] for tag in ("v1", "v2")}
    name = repository.repository
    env = {**os.environ, "DOCKER_CONFIG": str(repository.docker)}
    argv = ("docker", "buildx", "imagetools", "create", "--tag", f"{name}:both", f"{name}:v1", f"{name}:v2")
    run(*argv, env=env)
    remote = remote_image(
        Reference(repository=name, tag="both"),
        net=RequestsNet({}),
        credentials=lambda _: None,
        clock=SystemClock(),
    )
    assert {variant.digest for variant in remote.variants} == digests
    assert remote.digest not in digests
    assert len(remote.revisions) == 1


def test_layers_come_from_a_cache_in_the_registry(make: Make) -> None:
    repository = make("buildx", build={"cache_to": ["type=inline"]})
    repository.commit()
    first = repository.call()
    repository.build["cache_from"] = [f"type=registry,ref={repository.repository}:{first.result['version']}"]
    repository.commit()
    second = repository.call(GITHUB_ACTIONS="true")
    assert second.code == 0, second
    assert "importing cache manifest from" in second.err
