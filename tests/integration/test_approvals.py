"""Approvals by the command line: signed ones in the ledger, and files of a protected branch."""

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_process import Project, project

__all__ = ["project"]

WHY = ("--reason", "login is down, and staging takes an hour")
POLICY = """\
version: 1
approvers:
  - name: bob
    public_key: |
PUBLIC    environments: [production, staging]
files: {branch: main}
environments:
  production:
    requires: {environment: staging}
    approvals: {gates: [force, take-down], by: [signature, file]}
"""


@dataclass
class Guarded:
    """The demo's project with a policy, v1 in production, and Bob's key."""

    project: Project
    policy: str
    key: str
    ci: dict[str, str]

    def run(self, *words: str, ends: int = 0, **env: str) -> str:
        return self.project.run(*words, ends=ends, DEPLOY_ACTIONS_POLICY=self.policy, **env)

    def force(self, version: str, ends: int = 0) -> dict[str, Any]:
        words = ("promote", "--environment", "production", "--version", version, "--force", version)
        text = self.run(*words, *WHY, "--json", ends=ends, **self.ci)
        found: dict[str, Any] = json.loads(text[text.index("{") :])
        return found

    def approve(self, version: str, *more: str, ends: int = 0, key: str = "") -> str:
        words = ("approve", "--environment", "production", "--gate", "force", "--version", version)
        return self.run(*words, *(more or WHY), ends=ends, DEPLOY_ACTIONS_APPROVER_KEY=key or self.key)

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=Bob", "-c", "user.email=bob@example.com", "-c", "commit.gpgsign=false")
        ran = subprocess.run(
            ["git", *who, *words], cwd=self.project.folder, capture_output=True, text=True, timeout=30
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def file(self, digest: str, **changes: str) -> None:
        """Bob's approval as a file, committed and pushed to `main` as far as the CI can tell."""
        until = datetime.now(UTC) + timedelta(hours=3)
        said = {
            "version": "1",
            "gate": "force",
            "stack": "hello",
            "environment": "production",
            "subjects": f"[{digest}]",
            "reason": "login is down, and staging takes an hour",
            "approver": "bob",
            "until": f"'{until:%Y-%m-%dT%H:%M:%SZ}'",
        } | changes
        path = self.project.folder / "approvals" / "login.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{name}: {value}\n" for name, value in said.items()))
        self.commit()

    def commit(self) -> None:
        self.git("add", "approvals", ".github")
        self.git("commit", "-q", "--allow-empty", "-m", "Approve")
        self.ci |= {"GITHUB_SHA": self.git("rev-parse", "HEAD")}


@pytest.fixture
def guarded(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    key = tmp_path_factory.mktemp("bob") / "bob.key"
    said = project.run("keys", "new", "--out", str(key), "--json")
    public = "".join(f"      {line}\n" for line in json.loads(said)["public_key"].splitlines())
    run_files = {name: str(key.parent / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "alice", "GITHUB_REF": "refs/heads/main", **run_files}
    made = Guarded(project=project, policy=POLICY.replace("PUBLIC", public), key=key.read_text(), ci=ci)
    project.deploy("v1")
    made.run("promote", "--environment", "production", "--version", "v1")
    made.git("init", "-q", "-b", "main")
    (project.folder / ".github").mkdir()
    (project.folder / ".github" / "CODEOWNERS").write_text("* @acme/developers\n/approvals/ @bob\n")
    (project.folder / "approvals").mkdir()
    (project.folder / "approvals" / "README").write_text("Approvals\n")
    made.commit()
    return made


def digest(guarded: Guarded, version: str) -> str:
    refused = guarded.force(version, ends=12)
    return str(refused["images"][0]["digest"])


def test_a_signed_approval_lets_one_release_in_once(guarded: Guarded) -> None:
    assert guarded.force("v3", ends=12)["reason_code"] == "policy"
    assert "bob approves of --force in production" in guarded.approve("v3")
    found = guarded.force("v3")
    assert found["status"] == "deployed"
    assert "approved by bob" in found["overrides"][0]
    guarded.run("rollback", "--environment", "production", "--version", "v1")
    again = guarded.force("v3", ends=12)
    assert "it was used at" in again["failure"]["cause"]
    assert any("it was used at" in row["value"] for row in again["rule"])


def test_a_signed_approval_takes_down_what_serves_though_its_builds_are_gone(guarded: Guarded) -> None:
    place = ("--environment", "production", "--version", "v1")
    down = ("take-down", *place, *WHY)
    assert "take-down needs an approval" in guarded.run(*down, ends=12)
    (guarded.project.folder / "builds/hello/v1").rename(guarded.project.folder / "gone")
    assert "by the ledger" in guarded.approve("v3", *WHY, "--gate", "take-down", ends=2)
    assert "bob approves of take-down in production" in guarded.approve("v1", *WHY, "--gate", "take-down")
    assert "hello production is down" in guarded.run(*down, **guarded.ci)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--reason", "because"), "at least 20 characters"),
        ((*WHY, "--hours", "25"), "1 to 24 hours"),
        ((*WHY, "--gate", "everything"), "it is one of"),
    ],
)
def test_an_approval_that_says_too_little_is_not_given(
    guarded: Guarded, more: tuple[str, ...], said: str
) -> None:
    assert said in guarded.approve("v3", *more, ends=2)


def test_a_key_that_the_policy_gives_to_nobody_approves_of_nothing(guarded: Guarded) -> None:
    other = guarded.project.folder / "other.key"
    guarded.run("keys", "new", "--out", str(other))
    assert "lets nobody with the key" in guarded.approve("v3", ends=2, key=other.read_text())


def test_a_file_that_its_owner_merged_lets_one_release_in_once(guarded: Guarded) -> None:
    guarded.file(digest(guarded, "v3"))
    found = guarded.force("v3")
    assert found["status"] == "deployed"
    guarded.run("rollback", "--environment", "production", "--version", "v1")
    assert "it was used at" in guarded.force("v3", ends=12)["failure"]["cause"]


def test_a_file_counts_only_as_it_was_committed(guarded: Guarded) -> None:
    wanted = digest(guarded, "v3")
    guarded.file("sha256:" + "a" * 64)
    path = guarded.project.folder / "approvals" / "login.yml"
    path.write_text(path.read_text().replace("sha256:" + "a" * 64, wanted))
    assert "for another release" in guarded.force("v3", ends=12)["failure"]["cause"]


@pytest.mark.parametrize(
    ("ci", "said"),
    [
        ({"GITHUB_REF": "refs/heads/hotfix"}, "no run of the branch main"),
        ({"GITHUB_REF": "refs/pull/7/merge"}, "no run of the branch main"),
        ({"GITHUB_ACTOR": "bob"}, "bob is the one who runs this"),
        ({"GITHUB_TRIGGERING_ACTOR": "carol", "GITHUB_ACTOR": "bob"}, "bob is the one who runs this"),
    ],
)
def test_a_file_counts_in_runs_of_its_branch_by_others(
    guarded: Guarded, ci: dict[str, str], said: str
) -> None:
    guarded.file(digest(guarded, "v3"))
    guarded.ci |= ci
    assert said in guarded.force("v3", ends=12)["failure"]["cause"]


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ("* @acme/developers\n", "CODEOWNERS does not name bob"),
        ("/approvals/ @acme/operations\n", "CODEOWNERS does not name bob"),
        ("/approvals/ @bob\n*.yml @acme/developers\n", "is not understood"),
    ],
)
def test_a_file_counts_where_codeowners_names_its_approver(
    guarded: Guarded, owners: str, said: str
) -> None:
    (guarded.project.folder / ".github" / "CODEOWNERS").write_text(owners)
    guarded.file(digest(guarded, "v3"))
    assert said in guarded.force("v3", ends=12)["failure"]["cause"]


def test_a_file_that_ended_is_of_somewhere_else_or_of_no_shape_opens_nothing(guarded: Guarded) -> None:
    wanted = digest(guarded, "v3")
    guarded.file(wanted, until="'2026-01-02T03:04:05Z'")
    assert "it ended at 2026-01-02 03:04 UTC" in guarded.force("v3", ends=12)["failure"]["cause"]
    for changes in ({"environment": "staging"}, {"gate": "everything"}, {"until": "soon"}):
        guarded.file(wanted, **changes)
        guarded.force("v3", ends=12)


def test_a_clone_that_was_cut_off_cannot_tell_when_a_file_came(guarded: Guarded, tmp_path: Path) -> None:
    guarded.file(digest(guarded, "v3"))
    shallow = tmp_path / "shallow"
    guarded.git("clone", "-q", "--depth", "1", f"file://{guarded.project.folder}", str(shallow))
    folder = guarded.project.folder
    (folder / ".git").rename(tmp_path / "whole.git")
    (shallow / ".git").rename(folder / ".git")
    assert "fetch-depth: 0" in guarded.force("v3", ends=12)["failure"]["cause"]
