"""GitLab over HTTP, on loopback: its adapter, and the whole command line with it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ci_lib.domain.forge import ForgeFault, RunState
from ci_lib.forge.gitlab import GitLab
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.protocols import Response
from ci_lib.ports.system import SystemClock
from tests.contract.forge.fake_gitlab import JOB, OWN, FakeGitLab
from tests.contract.forge.gitlab_contract import API
from tests.contract.forge.gitlab_jobs import RUN
from tests.contract.forge.test_gitlab_records import DONE, records
from tests.contract.forge.test_gitlab_runs import OWNER
from tests.integration.test_forge import held_by
from tests.integration.test_lock import PLACE
from tests.integration.test_process import ENVIRONMENT, Project
from tests.integration.test_process import project as project

ROOT = Path(__file__).parents[2]


class Lab:
    """`FakeGitLab` behind HTTP, below a path; `elsewhere` sends every request to another host.

    `trouble` is asked before each request: what it returns comes in place of an answer; where it raises
    ConnectionError the connection just ends.
    """

    def __init__(self, port: int) -> None:
        self.fake = FakeGitLab()
        self.api = f"http://127.0.0.1:{port}/git/api/v4"
        self.elsewhere = ""
        self.trouble: Callable[[str, str], Response | None] = lambda *_: None

    def forge(self) -> GitLab:
        run = replace(RUN, api=self.api)
        return GitLab(run=run, job_token=JOB, own_token=OWN, net=RequestsNet(), clock=SystemClock())

    def job(self, project: Project) -> dict[str, str]:
        """What the runner hands to job 71 of pipeline 6, in the project's checkout."""
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.api,
            "CI_PROJECT_DIR": str(project.folder),
            "CI_PROJECT_ID": "7",
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PIPELINE_ID": "6",
            "CI_JOB_ID": "71",
            "CI_JOB_NAME": "deploy",
            "CI_JOB_TOKEN": JOB,
            "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
            "CI_COMMIT_REF_NAME": "main",
            "CI_DEFAULT_BRANCH": "main",
            "CI_PIPELINE_CREATED_AT": "2026-01-02T02:00:00Z",
            "CI_JOB_STARTED_AT": "2026-01-02T02:30:00Z",
            "GITLAB_USER_LOGIN": "ann",
        }


@pytest.fixture
def lab() -> Iterator[Lab]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if made.elsewhere:
                self.send_response(302)
                self.send_header("Location", made.elsewhere)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            headers = {
                name: value
                for name, value in self.headers.items()
                if name in ("JOB-TOKEN", "PRIVATE-TOKEN", "Content-Type")
            }
            url = f"{API}{self.path.removeprefix('/git/api/v4')}"
            try:
                answer = made.trouble(self.command, self.path) or made.fake.request(
                    self.command, url, headers=headers, body=body, timeout=9
                )
            except ConnectionError:
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PUT = do_GET  # noqa: N815 - their names are the library's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Lab(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_a_job_is_asked_for_over_all_pages(lab: Lab) -> None:
    for number in range(1000, 1150):
        lab.fake.world.job(number, "success")
    lab.fake.world.job(70, "running")
    assert lab.forge().run_state(OWNER) is RunState.ALIVE
    assert len(lab.fake.asked) == 2


def test_what_is_told_arrives(lab: Lab, tmp_path: Path) -> None:
    lab.fake.world.tags = {"v1.2.0": DONE.sha}
    (tmp_path / "sbom.json").write_bytes(bytes(range(256)) * 1000)
    forge = lab.forge()
    for _ in range(2):
        forge.record_deployment(DONE)
        forge.comment("plan", "wörds")
        forge.issue("drift", "Drift", "text")
        forge.release("v1.2.0", "One", "notes", {"sbom.json": tmp_path / "sbom.json"})
    forge.close_issue("drift", "well")
    world = lab.fake.world
    assert records(lab.fake) == [(DONE.sha, "success")]
    assert [note["body"] for note in world.notes["merge_requests/12"]] == [
        "<!-- deploy-actions:plan -->\nwörds"
    ]
    assert [issue["state"] for issue in world.issues] == ["closed"]
    assert [file["size"] for files in world.files.values() for file in files] == [256_000]
    assert [link["url"] for link in world.links["v1.2.0"]] == [
        f"{lab.api}/projects/7/packages/generic/release/1.2.0/sbom.json"
    ]


def test_a_redirect_takes_no_token_along(lab: Lab) -> None:
    lab.elsewhere = f"{lab.api}/user"
    with pytest.raises(ForgeFault, match="sends us elsewhere"):
        lab.forge().comment("plan", "text")
    assert not lab.fake.asked


@pytest.mark.parametrize(("status", "ends"), [("success", 0), ("running", 13), ("canceled", 13)])
def test_the_lock_of_a_job_is_taken_over_when_gitlab_says_that_it_is_over_and_not_before(
    lab: Lab, project: Project, status: str, ends: int
) -> None:
    project.deploy("v1")
    held_by(project, "gitlab:acme/shop/6/70/deploy")
    lab.fake.world.job(70, status, finished_at=datetime.now(UTC).isoformat())
    text = project.run("deploy", *PLACE, "--version", "v3", ends=ends, **lab.job(project))
    assert "/projects/7/pipelines/6/jobs" in {asked.path for asked in lab.fake.asked}
    assert JOB not in text


def test_the_library_is_loaded_when_gitlab_is_asked_and_not_before(lab: Lab) -> None:
    script = """
import os, sys
from ci_lib.forge.gitlab import GitLab
from ci_lib.forge.gitlab_run import run_of
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.system import SystemClock
run = run_of(os.environ)
token = os.environ["CI_JOB_TOKEN"]
forge = GitLab(run=run, job_token=token, own_token="", net=RequestsNet(), clock=SystemClock())
before = {"gitlab", "requests"} & set(sys.modules)
print(sorted(before), forge.run_state("gitlab:acme/shop/6/70/deploy"), "gitlab" in sys.modules)
"""
    job = {
        "CI_API_V4_URL": lab.api,
        "CI_PROJECT_ID": "7",
        "CI_PROJECT_PATH": "acme/shop",
        "CI_PIPELINE_ID": "6",
        "CI_JOB_ID": "71",
        "CI_JOB_TOKEN": JOB,
    }
    lab.fake.world.job(70, "success")
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT | job,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.splitlines()[-1:] == ["[] ended True"], ran.stderr
