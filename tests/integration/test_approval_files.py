"""Which approvals a commit holds, and since when: asked of real git."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.approval_files import approvals_of
from ci_lib.cli.console import Session
from ci_lib.config.policy import Files
from ci_lib.domain.approval import Approval
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.redact import Redactor
from ci_lib.ports.local import LocalHost
from tests.contract.fake_target import digest, settings
from tests.fakes import FakeReporter
from tests.lab.git import git

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
APPROVAL = {
    "version": 1,
    "gate": "force",
    "stack": "shop",
    "environment": "production",
    "subjects": [digest("api:v2")],
    "reason": "login is down, and staging takes an hour",
    "approver": "bob",
    "until": "2026-01-02T16:00:00Z",
}
FILES = Files(branch="main")


@dataclass
class Repository:
    """A checkout whose deploy.yml lies in ``shop/``; what is committed is dated."""

    folder: Path

    def git(self, *words: str, at: datetime = NOON, author: datetime | None = None) -> str:
        dates = {
            "GIT_COMMITTER_DATE": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "GIT_AUTHOR_DATE": f"{author or at:%Y-%m-%dT%H:%M:%SZ}",
        }
        return git(self.folder, *words, env=dates)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(text)

    def commit(self, *, at: datetime = NOON, author: datetime | None = None) -> None:
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "Approve", at=at, author=author)

    def approve(self, path: str = "approvals/login.yml", *, at: datetime = NOON, **changes: object) -> None:
        """Bob's approval, committed on the branch that is checked out."""
        self.write(path, json.dumps(APPROVAL | changes))
        self.commit(at=at)

    def merge(self, branch: str, *more: str, at: datetime, author: datetime | None = None) -> None:
        self.git("merge", "-q", "--no-edit", *more, branch, at=at, author=author)

    def found(self, folder: str = "shop") -> tuple[Approval, ...]:
        """What a run of the protected branch finds, whose deploy.yml lies in ``folder``."""
        head = self.git("rev-parse", "HEAD")
        facts = CiFacts(provider="github", owner="run-1", actor="alice", ref="refs/heads/main", sha=head)
        nowhere: Any = None
        session = Session(
            env={},
            facts=facts,
            redact=Redactor(),
            reporter=FakeReporter(),
            runner=LocalHost("runner"),
            out=nowhere,
            err=nowhere,
        )
        here = replace(settings("production"), folder=str(self.folder / folder))
        return approvals_of(session, here, FILES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    git(tmp_path, "init", "-q", "-b", "main")
    made = Repository(tmp_path)
    made.write(".github/CODEOWNERS", "* @developers\n/approvals/ @bob\n")
    made.write("shop/deploy.yml", "version: 1\n")
    made.commit(at=NOON - timedelta(days=9))
    return made


@pytest.mark.parametrize("folder", ["", "shop"])
def test_they_lie_at_the_top_wherever_deploy_yml_lies(repository: Repository, folder: str) -> None:
    repository.approve()
    (found,) = repository.found(folder)
    assert (found.flaw, found.at, found.approver) == ("", NOON, "bob")


def test_a_folder_of_that_name_beside_deploy_yml_is_not_the_one_that_owners_guard(
    repository: Repository,
) -> None:
    repository.approve("shop/approvals/login.yml")
    assert repository.found() == ()


def test_a_file_is_as_old_as_its_merge_and_not_as_the_commit_that_was_merged(
    repository: Repository,
) -> None:
    repository.git("checkout", "-q", "-b", "approve")
    repository.approve(at=NOON - timedelta(days=3))
    repository.git("checkout", "-q", "main")
    repository.merge("approve", "--no-ff", at=NOON, author=NOON - timedelta(days=2))
    (found,) = repository.found()
    assert (found.flaw, found.at) == ("", NOON)
    assert repository.git("rev-parse", "HEAD")[:12] in found.where


def test_a_commit_that_says_it_is_of_tomorrow_makes_no_file_younger(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "approve")
    repository.approve(at=NOON + timedelta(days=1))
    repository.git("checkout", "-q", "main")
    repository.merge("approve", "--no-ff", at=NOON)
    (found,) = repository.found()
    assert found.at == NOON


def test_a_commit_that_was_rebased_onto_the_branch_counts_from_then_and_not_from_its_author(
    repository: Repository,
) -> None:
    repository.write("approvals/login.yml", json.dumps(APPROVAL))
    repository.commit(at=NOON, author=NOON - timedelta(days=3))
    (found,) = repository.found()
    assert found.at == NOON


def test_what_comes_after_it_makes_a_file_no_younger_unless_it_changes_it(repository: Repository) -> None:
    repository.approve()
    repository.git("checkout", "-q", "-b", "other")
    repository.write("shop/other", "")
    repository.commit(at=NOON + timedelta(hours=1))
    repository.git("checkout", "-q", "main")
    repository.merge("other", "--no-ff", at=NOON + timedelta(hours=2))
    assert [found.at for found in repository.found()] == [NOON]
    later = NOON + timedelta(hours=3)
    repository.approve(at=later, until="2026-01-03T16:00:00Z")
    assert [found.at for found in repository.found()] == [later]
