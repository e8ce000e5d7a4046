"""The whole command line with a GitHub on loopback: what it asks, and what it makes of the answers."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ci_lib.ports.protocols import Response
from tests.contract.forge.fake_github import TOKEN, FakeGitHub
from tests.contract.forge.github_pages import user
from tests.integration.test_approvals import Guarded
from tests.integration.test_approvals import guarded as guarded
from tests.integration.test_lock import PLACE, RUN_7
from tests.integration.test_process import ENVIRONMENT, Project
from tests.integration.test_process import project as project

ROOT = Path(__file__).parents[2]


class Hub:
    """`FakeGitHub` behind HTTP; `environment` is what the runner of run 9 hands to the job.

    `trouble` is asked before each request: what it returns comes in place of an answer; where it raises
    ConnectionError the connection just ends.
    """

    def __init__(self, port: int) -> None:
        self.fake = FakeGitHub()
        self.trouble: Callable[[str, str], Response | None] = lambda *_: None
        self._local = f"http://127.0.0.1:{port}"
        self.environment = RUN_7 | {
            "GITHUB_RUN_ID": "9",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_API_URL": f"http://127.0.0.1:{port}",
            "GITHUB_TOKEN": TOKEN,
        }

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        trouble = self.trouble(method, path)
        if trouble is not None:
            return trouble
        upload = path.removeprefix("/uploads")
        host = "https://api.github.com" if upload == path else "https://uploads.github.com"
        answer = self.fake.request(method, f"{host}{upload}", headers=headers, body=body, timeout=9)
        return replace(answer, body=self._here(answer.body))

    def _here(self, body: bytes) -> bytes:
        """An answer whose URLs lead to this machine, where a real one's lead to GitHub."""
        text = body.decode().replace("https://uploads.github.com", f"{self._local}/uploads")
        return text.replace("https://api.github.com", self._local).encode()


@pytest.fixture
def hub() -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            try:
                answer = made.answer(self.command, self.path, dict(self.headers), body)
            except ConnectionError:
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - their names are the library's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Hub(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def held_by(project: Project, owner: str) -> None:
    """The lock is `owner`'s for ten minutes more."""
    lease = project.state / ".deploy-actions" / "lease"
    now = int(time.time())
    lease.write_text(f"{owner}\nsomebody\n{now + 600}\n2\n{now}\n")


def run_5(hub: Hub, project: Project, status: str) -> str:
    """The owner of the lock of a deploy job on box-1, in a run of that status."""
    owner = "github:acme/shop/5/1/deploy@box-1"
    held_by(project, owner)
    hub.fake.world.run(5, status=status)
    hub.fake.world.job(5, 1, status, "box-1")
    return owner


def test_the_lock_of_a_run_that_github_says_has_ended_is_taken_over_at_once(
    hub: Hub, project: Project
) -> None:
    project.deploy("v1")
    run_5(hub, project, "completed")
    project.run("deploy", *PLACE, "--version", "v3", **hub.environment)
    assert hub.fake.asked
    assert {asked.path for asked in hub.fake.asked if "/runs/5/" in asked.path} == {
        "/repos/acme/shop/actions/runs/5/attempts/1",
        "/repos/acme/shop/actions/runs/5/attempts/1/jobs",
    }


def test_the_lock_of_a_run_that_goes_on_is_respected(hub: Hub, project: Project) -> None:
    project.deploy("v1")
    run_5(hub, project, "in_progress")
    text = project.run("deploy", *PLACE, "--version", "v3", ends=13, **hub.environment)
    assert hub.fake.asked
    assert TOKEN not in text.replace(f"::add-mask::{TOKEN}", "")


def test_without_a_token_the_lock_stays_where_it_is(hub: Hub, project: Project) -> None:
    project.deploy("v1")
    run_5(hub, project, "completed")
    project.run("deploy", *PLACE, "--version", "v3", ends=13, **hub.environment | {"GITHUB_TOKEN": ""})
    assert not hub.fake.asked


def test_without_a_lock_that_is_held_github_is_asked_for_no_other_run(hub: Hub, project: Project) -> None:
    project.run("deploy", *PLACE, "--version", "v1", **hub.environment)
    runs = [asked.path for asked in hub.fake.asked if "/runs/" in asked.path]
    assert set(runs) <= {"/repos/acme/shop/actions/runs/9"}


@pytest.mark.parametrize(
    ("who", "state", "ends"),
    [("bob", "approved", 0), ("bob", "rejected", 12), ("alice", "approved", 12)],
)
def test_a_review_of_the_run_lets_a_release_in_unless_it_is_ones_own(
    hub: Hub, guarded: Guarded, who: str, state: str, ends: int
) -> None:
    guarded.policy = guarded.policy.replace("by: [signature, file]", "by: [forge]")
    guarded.ci = hub.environment | {name: value for name, value in guarded.ci.items() if value}
    hub.fake.world.run(9)
    hub.fake.world.runs[9]["created_at"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    place = {"name": "production"}
    hub.fake.world.approvals = [{"user": user(who), "environments": [place], "state": state, "comment": ""}]
    assert guarded.force("v3", ends=ends)["exit_code"] == ends
    assert "/repos/acme/shop/actions/runs/9/approvals" in [asked.path for asked in hub.fake.asked]


def test_pygithub_is_loaded_when_github_is_asked_and_not_before(hub: Hub) -> None:
    script = """
import sys
from ci_lib.cli.forges import forge_of
from ci_lib.cli.console import open_session
forge = forge_of(open_session(quiet=True))
before = "github" in sys.modules
forge.run_state("github:acme/shop/5/1/deploy@box-1")
print(type(forge).__name__, before, "github" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT | hub.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.splitlines()[-1:] == ["GitHub False True"], ran.stderr
