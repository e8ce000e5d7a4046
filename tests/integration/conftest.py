"""Fixtures that hand real components to the tests.

A missing component skips the tests that want it and is named in the terminal summary; with REQUIRE_ENGINE=1,
as `.ci/run` sets, it fails them: a green run then means that everything was there.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.lab import images
from tests.lab.components import Registry, Sshd, engine_ready, remove_projects

Require = Callable[[str, str | None], None]


@pytest.fixture(scope="session")
def require() -> Require:
    """`require(NAME, REASON)` skips or fails when there is a reason why the component is missing."""

    def check(name: str, reason: str | None) -> None:
        if reason is None:
            return
        message = f"missing component: {name} ({reason}); tests/lab/install.sh and engine.sh provide it"
        if os.environ.get("REQUIRE_ENGINE") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

    return check


@pytest.fixture(scope="session")
def engine(require: Require) -> None:
    """A Docker engine and Compose answer."""
    require("engine", engine_ready())


@pytest.fixture(scope="session")
def registry(require: Require, engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry; a test that stops it does so by `with registry.stopped():`."""
    require("registry", Registry.missing())
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
        images.remove_pulled(running)


@pytest.fixture(scope="session")
def sshd(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """This machine as an SSH host."""
    require("sshd", Sshd.missing())
    with Sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="session")
def hello(require: Require, registry: Registry) -> images.Hello:
    """Builds and pushes the application: `hello.push("acme/api", tag="sha-1", behaviour="good")`."""
    require("busybox-static", None if shutil.which("busybox") else "busybox is not installed")
    return images.Hello(registry)


@pytest.fixture(scope="session")
def postgres_image(require: Require, engine: None) -> str:
    """Local name of a PostgreSQL image that takes the environment of the official one."""
    require("mmdebstrap", None if shutil.which("mmdebstrap") else "mmdebstrap is not installed")
    return images.build_postgres()


@pytest.fixture(scope="session")
def mariadb_image(require: Require, engine: None) -> str:
    """The same for MariaDB."""
    require("mmdebstrap", None if shutil.which("mmdebstrap") else "mmdebstrap is not installed")
    return images.build_mariadb()


@pytest.fixture
def project(engine: None) -> Iterator[str]:
    """A name nobody else has for a Compose project; what `NAME` and `NAME-…` left behind is removed."""
    yield from _project()


@pytest.fixture(scope="module")
def shared_project(engine: None) -> Iterator[str]:
    """The same for the tests of a module that share what they look at and put back what they change."""
    yield from _project()


def _project() -> Iterator[str]:
    name = f"lab-{uuid.uuid4().hex[:10]}"
    yield name
    remove_projects(name)
