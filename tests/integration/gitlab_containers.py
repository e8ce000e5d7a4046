"""A caller's project whose jobs each have a container of their own, as with GitLab's Docker executor.

The container finds no more than its image holds and the machine's pip.conf. It shares the network of this
machine, on which a server has the library, behind a login, and another one its dependencies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.gitlab_support import SERVER, Caller, library
from tests.lab.components import HOST, docker
from tests.lab.git import GitHttp
from tests.lab.images import helper_image, job_image
from tests.lab.wheels import Index, wheels

TOKEN = "the-token"


class InContainers(Caller):
    """The project; `tools` holds the pip.conf that the runner gives each container."""

    @property
    def pip_conf(self) -> Path:
        return self.tools / "pip.conf"

    @property
    def _executor(self) -> tuple[str, ...]:
        local = ("--pull-policy=if-not-present", f"--helper-image={helper_image()}")
        return *local, "--network=host", f"--volume={self.pip_conf}:/etc/pip.conf:ro"

    @property
    def _found(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class Runner:
    """The project's runner, and what its jobs reach."""

    caller: InContainers
    index: Index
    sha: str

    def commit(self, pipeline: str) -> None:
        """Commit the project with this pipeline; IMAGE in it is the plain image, COMMIT the library's."""
        self.caller.commit(pipeline.replace("COMMIT", self.sha).replace("IMAGE", job_image()))


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """A runner for the project that is in `folder`/checkout; all else is below `folder` too."""
    served, sha = library(_made(folder / "org"))
    login = f"gitlab-ci-token:{TOKEN}"
    with GitHttp(folder, login=login).serving() as server, Index(wheels()).serving() as index:
        tools = _made(folder / "tools")
        (tools / "pip.conf").write_text(index.pip_conf)
        at = {"PROTOCOL": "http", "HOST": HOST, "PORT": str(server.port)}
        variables = {f"CI_SERVER_{name}": value for name, value in at.items()}
        variables |= {"CI_SERVER_URL": f"http://{HOST}:{server.port}", "CI_JOB_TOKEN": TOKEN}
        # Of another machine and without TLS, which no token is sent to: that server here knows git alone.
        variables |= {"CI_API_V4_URL": f"{SERVER}/api/v4"}
        caller = InContainers(folder=folder / "checkout", served=served, tools=tools, variables=variables)
        try:
            yield Runner(caller=caller, index=index, sha=sha)
        finally:
            # The tool removes what it made, unless a test's time limit ended it.
            if left := docker("ps", "--all", "--quiet", "--filter", f"volume={caller.pip_conf}").split():
                docker("rm", "--force", "--volumes", *left)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
