"""What the command line makes of a GitLab job's environment."""

from dataclasses import replace
from pathlib import Path

import pytest

from ci_lib.ci.gitlab import GitLabReporter
from ci_lib.cli.console import Session, open_session, settings_for
from ci_lib.targets.compose.stage import _not_ours
from tests.unit.ci.test_gitlab_facts import GITLAB

CONFIG = """
version: 1
records: {store: directory, path: /srv/releases}
hosts: {here: {local: true}}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend]}
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    (tmp_path / "deploy.yml").write_text(CONFIG)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for name, value in (GITLAB | {"CI_PROJECT_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return open_session()


def test_a_gitlab_job_is_spoken_to_as_one(session: Session) -> None:
    assert isinstance(session.reporter, GitLabReporter)
    assert session.facts.owner.startswith("gitlab:acme/back-end/shop/70/801/")


def test_what_a_job_leaves_is_no_part_of_a_release(session: Session, tmp_path: Path) -> None:
    values = {"config": str(tmp_path / "deploy.yml"), "stack": "", "environment": "staging"}
    settings = settings_for(values, replace(session, facts=replace(session.facts, hosted=False)))
    assert str(tmp_path / "deploy-actions") in list(_not_ours(settings))
    assert list(_not_ours(replace(settings, job_folder=""))) == ["/srv/releases"]


def test_a_folder_that_is_a_link_is_left_alone(session: Session, tmp_path: Path) -> None:
    assert session.env["CI_PROJECT_DIR"] == str(tmp_path)
    (tmp_path / "deploy-actions").symlink_to(tmp_path)
    assert open_session().env["CI_PROJECT_DIR"] == ""
