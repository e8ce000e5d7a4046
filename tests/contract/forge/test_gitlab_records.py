"""What GitLab is told: deployments, notes, issues, releases. Each leaves one record, though told twice."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.forge import Deployment, DeploymentState, ForgeFault
from ci_lib.ports.protocols import Response
from tests.contract.forge.fake_gitlab import JOB, FakeGitLab, Fault
from tests.contract.forge.gitlab_jobs import RUN, adapter
from tests.contract.forge.gitlab_pages import ANN, PAGE

OURS, OTHER = "a" * 40, "d" * 40
DONE = Deployment(
    stack="shop",
    environment="production",
    sha=OURS,
    version="v1.2.0",
    state=DeploymentState.SUCCESS,
    description="deployed and verified",
)
NOTES = "merge_requests/12"


def records(lab: FakeGitLab) -> list[tuple[str, str]]:
    return [(each["sha"], each["status"]) for each in lab.world.deployments if each["deployable"] is None]


def test_a_record_has_the_versions_commit_and_its_end_at_once() -> None:
    lab = FakeGitLab()
    number = lab.world.environment("production")["id"]
    assert adapter(lab, own="").record_deployment(DONE) == f"{PAGE}/-/environments/{number}"
    assert [asked.body for asked in lab.asked if asked.method == "POST"] == [
        {"environment": "production", "sha": OURS, "ref": "main", "tag": False, "status": "success"}
    ]


BACK = replace(DONE, state=DeploymentState.FAILURE, back="v1.1.0", back_sha=OTHER)


@pytest.mark.parametrize("told", [1, 2])
def test_after_a_way_back_the_newest_success_is_of_the_version_that_serves_again(told: int) -> None:
    lab = FakeGitLab()
    adapter(lab).record_deployment(DONE)
    for _ in range(told):
        adapter(lab, replace(RUN, environment="production", action="verify")).record_deployment(BACK)
    made = [asked.body for asked in lab.asked if asked.method == "POST"]
    assert [(each["sha"], each["status"]) for each in made] == [
        (OURS, "success"),
        (OURS, "failed"),
        (OTHER, "success"),
    ]


def test_where_gitlab_records_the_failure_itself_the_version_that_serves_again_has_a_record() -> None:
    lab = FakeGitLab()
    run = replace(RUN, sha=OURS, environment="production", action="start")
    adapter(lab, run).record_deployment(BACK)
    assert records(lab) == [(OTHER, "success")]


def test_that_the_commit_of_the_version_that_serves_again_is_not_known_is_said() -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault, match=r"the commit of v1\.1\.0 is not known"):
        adapter(lab).record_deployment(replace(BACK, back_sha=""))
    assert records(lab) == [(OURS, "failed")]


@pytest.mark.parametrize("action", ["", "start"])
def test_beside_the_record_that_gitlab_makes_there_is_none_of_ours(action: str) -> None:
    lab = FakeGitLab()
    run = replace(RUN, environment="production", action=action)
    for sha in (RUN.sha, ""):
        assert adapter(lab, run).record_deployment(replace(DONE, sha=sha)) == f"{PAGE}/-/environments"
    assert not lab.asked


def test_that_the_record_that_gitlab_made_has_another_commit_is_said() -> None:
    lab = FakeGitLab()
    run = replace(RUN, environment="production", action="start")
    with pytest.raises(ForgeFault, match=f"commit {RUN.sha[:12]}, and v1.2.0 is of {OURS[:12]}"):
        adapter(lab, run).record_deployment(DONE)
    assert not lab.asked


def test_of_a_commit_that_nobody_knows_there_is_no_record_of_ours() -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault, match=r"the commit of v1\.2\.0 is not known"):
        adapter(lab).record_deployment(replace(DONE, sha=""))
    assert not lab.asked


@pytest.mark.parametrize("action", ["access", "prepare", "verify"])
def test_where_the_job_only_uses_the_environment_the_record_is_ours(action: str) -> None:
    lab = FakeGitLab()
    adapter(lab, replace(RUN, environment="production", action=action)).record_deployment(DONE)
    assert records(lab) == [(OURS, "success")]


def test_a_pipeline_has_one_name_of_one_line() -> None:
    lab = FakeGitLab()
    adapter(lab, own="").name_run("shop production runs v1\n" + "x" * 300)
    adapter(lab, own="").name_run("shop production runs v2\n" + "x" * 300)
    (name,) = lab.world.pipelines.values()
    assert name.startswith("shop production runs v2")
    assert len(name) <= 255
    assert "\n" not in name


@pytest.mark.parametrize(("status", "silent"), [(403, True), (404, True), (401, False), (400, False)])
def test_a_gitlab_that_takes_no_name_is_no_fault(status: int, silent: bool) -> None:
    lab = FakeGitLab()
    lab.faults[0] = Fault(name="no name", answer=Response(status=status, headers={}, body=b"{}"))
    with nullcontext() if silent else pytest.raises(ForgeFault, match=str(status)):
        adapter(lab, own="").name_run("shop production runs v1")


def test_a_job_of_another_environment_has_no_record_of_this_one() -> None:
    lab = FakeGitLab()
    adapter(lab, replace(RUN, environment="staging")).record_deployment(DONE)
    assert records(lab) == [(OURS, "success")]


def test_told_twice_there_is_one_record() -> None:
    lab = FakeGitLab()
    adapter(lab).record_deployment(DONE)
    adapter(lab).record_deployment(DONE)
    assert records(lab) == [(OURS, "success")]
    assert len(lab.writes()) == 1


def test_the_end_of_another_stack_with_the_same_commit_is_never_overwritten() -> None:
    lab = FakeGitLab()
    adapter(lab).record_deployment(replace(DONE, stack="jobs", state=DeploymentState.FAILURE))
    adapter(lab).record_deployment(DONE)
    assert sorted(records(lab)) == [(OURS, "failed"), (OURS, "success")]
    assert {method for method, _ in lab.writes()} == {"POST"}


def test_going_back_in_the_same_job_has_a_record_of_its_own() -> None:
    lab = FakeGitLab()
    for sha in (OURS, OTHER, OURS):
        adapter(lab).record_deployment(replace(DONE, sha=sha))
    assert records(lab) == [(OURS, "success"), (OTHER, "success"), (OURS, "success")]


def test_records_of_earlier_jobs_and_those_of_gitlab_are_left_alone() -> None:
    lab = FakeGitLab()
    lab.world.deployment("production", sha=OURS, deployable=None, created_at="2026-01-02T02:59:00Z")
    lab.world.deployment("production", sha=OURS, status="running")
    adapter(lab).record_deployment(DONE)
    assert records(lab) == [(OURS, "success")] * 2
    assert lab.world.deployments[1]["status"] == "running"


@pytest.mark.parametrize(
    ("fields", "tags", "expected"),
    [
        ({"sha": OURS, "ref": "v1.2.0", "is_tag": True}, {}, ("v1.2.0", True)),
        ({"sha": OURS, "ref": "topic"}, {"v1.2.0": OURS}, ("topic", False)),
        ({}, {"v1.2.0": OURS}, ("v1.2.0", True)),
        ({}, {"v1.2.0": OTHER}, ("main", False)),
        ({"ref": "v9", "is_tag": True}, {}, ("main", False)),
        ({"ref": "topic", "request": 12}, {}, ("main", False)),
        ({"ref": "topic", "request": 0}, {}, ("topic", False)),
    ],
)
def test_the_ref_is_that_of_the_commit(
    fields: dict[str, Any], tags: dict[str, str], expected: tuple[str, bool]
) -> None:
    lab = FakeGitLab()
    lab.world.tags = tags
    adapter(lab, replace(RUN, **{"request": 0, **fields})).record_deployment(DONE)
    assert (lab.world.deployments[0]["ref"], lab.world.deployments[0]["is_tag"]) == expected


def bodies(lab: FakeGitLab, place: str = NOTES) -> list[str]:
    return [each["body"] for each in lab.world.notes.get(place, [])]


def test_a_note_is_written_anew_and_not_again() -> None:
    lab = FakeGitLab()
    first = adapter(lab).comment("deploy/production", "one")
    assert first == adapter(lab).comment("deploy/production", "two")
    assert first == f"{PAGE}/-/merge_requests/12#note_100"
    assert bodies(lab) == ["<!-- deploy-actions:deploy/production -->\ntwo"]
    lab.asked.clear()
    adapter(lab).comment("deploy/production", "two")
    assert not lab.writes()


def test_a_note_behind_many_others_is_found() -> None:
    lab = FakeGitLab(page=2)
    for number in range(5):
        lab.world.note(NOTES, f"word {number}", ANN)
    adapter(lab).comment("plan", "one")
    adapter(lab).comment("plan", "two")
    assert len(bodies(lab)) == 6


def test_notes_of_others_and_of_the_system_are_left_alone() -> None:
    lab = FakeGitLab()
    lab.world.note(NOTES, "<!-- deploy-actions:plan -->\nmine", ANN)
    lab.world.note(NOTES, "<!-- deploy-actions:plan -->\nits", system=True)
    lab.world.note(NOTES, "says <!-- deploy-actions:plan -->")
    adapter(lab).comment("plan", "ours")
    assert len(bodies(lab)) == 4
    assert bodies(lab)[-1] == "<!-- deploy-actions:plan -->\nours"


def test_a_mark_cannot_end_its_hiding_place() -> None:
    lab = FakeGitLab()
    adapter(lab).comment("x --> @all <!--\n", "text")
    assert bodies(lab) == ["<!-- deploy-actions:x%20--%3E%20%40all%20%3C%21--%0A -->\ntext"]


@pytest.mark.parametrize("line", ["/merge", "x\n/approve", "x\n\r/close", "x\r\n/assign @eve", "\r\r/merge"])
def test_nothing_that_is_quoted_becomes_a_command(line: str) -> None:
    lab = FakeGitLab()
    for text in (line, f"{line} again"):
        adapter(lab).comment("plan", text)
        adapter(lab).issue("drift", "Drift", text)
    adapter(lab).close_issue("drift", line)
    assert not lab.world.commands
    assert "&#47;" in bodies(lab)[0]


def test_a_path_within_a_line_is_left_as_it_is() -> None:
    lab = FakeGitLab()
    adapter(lab).comment("plan", "see /etc/hosts and https://x.example/y")
    assert bodies(lab)[0].endswith("\nsee /etc/hosts and https://x.example/y")


def test_a_note_that_is_too_long_is_cut() -> None:
    lab = FakeGitLab()
    adapter(lab).comment("plan", "ü\n" * 400_000)
    assert len(bodies(lab)[0].encode()) <= 500_000
    assert bodies(lab)[0].rstrip().endswith("the evidence of the run holds all of it.**")


def test_a_job_without_a_merge_request_has_nothing_to_comment_on() -> None:
    lab = FakeGitLab()
    assert adapter(lab, replace(RUN, request=0), own="").comment("plan", "text") == ""
    assert not lab.asked


def test_without_a_token_of_its_own_a_note_is_not_possible_and_it_is_said_why() -> None:
    lab = FakeGitLab()
    with pytest.raises(
        ForgeFault, match=r"a note on merge request !12 cannot be had: no job's token"
    ) as caught:
        adapter(lab, own="").comment("plan", "text")
    assert (
        caught.value.hint
        == "it takes GITLAB_TOKEN: an access token with the scope `api` and the role Reporter"
    )
    assert not lab.asked


def test_an_issue_is_opened_once_and_written_anew() -> None:
    lab = FakeGitLab()
    lab.world.issue(title="by somebody", description="<!-- deploy-actions:drift -->\nx", author=ANN)
    first = adapter(lab).issue("drift", "Drift", "one")
    assert first == adapter(lab).issue("drift", "Drift: 2", "two") == f"{PAGE}/-/issues/2"
    assert [(each["title"], each["description"].split("\n")[1]) for each in lab.world.issues] == [
        ("by somebody", "x"),
        ("Drift: 2", "two"),
    ]
    lab.asked.clear()
    adapter(lab).issue("drift", "Drift: 2", "two")
    assert not lab.writes()


def test_an_issue_is_closed_with_a_last_word_and_opened_anew_later() -> None:
    lab = FakeGitLab()
    adapter(lab).issue("drift", "Drift", "one")
    assert adapter(lab).close_issue("drift", "all is well") == f"{PAGE}/-/issues/1"
    assert adapter(lab).close_issue("drift", "all is well") == ""
    adapter(lab).issue("drift", "Drift", "two")
    assert [each["state"] for each in lab.world.issues] == ["closed", "opened"]
    assert bodies(lab, "issues/1") == ["<!-- deploy-actions:drift/closed -->\nall is well"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {"sbom.json": b"{}", "notes.md": b"# 1"}
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in found}


def tagged() -> FakeGitLab:
    lab = FakeGitLab()
    lab.world.tags = {"v1.2.0": OURS}
    return lab


AT = "https://gitlab.example/api/v4/projects/7/packages/generic/release/1.2.0"


def test_files_are_there_before_the_release_names_them(files: dict[str, Path]) -> None:
    lab = tagged()
    assert adapter(lab, own="").release("v1.2.0", "One", "notes", files) == f"{PAGE}/-/releases/v1.2.0"
    assert [path.rpartition("/")[2] for _, path in lab.writes()] == ["notes.md", "sbom.json", "releases"]
    assert [(each["name"], each["url"]) for each in lab.world.links["v1.2.0"]] == [
        ("notes.md", f"{AT}/notes.md"),
        ("sbom.json", f"{AT}/sbom.json"),
    ]


def test_a_release_that_is_whole_is_left_as_it_is(files: dict[str, Path]) -> None:
    lab = tagged()
    adapter(lab).release("v1.2.0", "One", "notes", files)
    lab.asked.clear()
    adapter(lab).release("v1.2.0", "another", "other", files)
    assert not lab.writes()


def test_a_release_by_hand_is_completed(files: dict[str, Path]) -> None:
    lab = tagged()
    lab.world.releases["v1.2.0"] = {"tag_name": "v1.2.0", "name": "mine", "description": "my words"}
    lab.world.link("v1.2.0", "docs", "https://docs.example")
    adapter(lab).release("v1.2.0", "One", "notes", files)
    assert [each["name"] for each in lab.world.links["v1.2.0"]] == ["docs", "notes.md", "sbom.json"]
    assert lab.world.releases["v1.2.0"]["description"] == "my words"


@pytest.mark.parametrize("place", ["package", "second package", "link"])
def test_what_was_published_is_never_replaced(files: dict[str, Path], place: str) -> None:
    lab = tagged()
    adapter(lab).release("v1.2.0", "One", "notes", files)
    if place == "link":
        lab.world.links["v1.2.0"][0]["url"] = "https://evil.example/notes.md"
    elif place == "package":
        files["notes.md"].write_bytes(b"# 2")
    else:
        lab.world.file("1.2.0", "notes.md", b"# 2")
    lab.asked.clear()
    with pytest.raises(ForgeFault, match=r"notes\.md (differs from ours|that leads elsewhere)") as caught:
        adapter(lab).release("v1.2.0", "One", "notes", files)
    assert caught.value.hint == "what was published is never replaced: make a new version"
    assert not lab.writes()


def test_files_of_other_packages_and_versions_are_none_of_ours(files: dict[str, Path]) -> None:
    lab = tagged()
    lab.world.file("1.1.0", "notes.md", b"# 0")
    lab.world.file("1.2.0", "notes.md", b"# 0", package="release-notes")
    adapter(lab).release("v1.2.0", "One", "notes", files)
    assert len(lab.world.links["v1.2.0"]) == 2


def test_without_its_tag_nothing_is_published(files: dict[str, Path]) -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault, match=r"there is no tag v1\.2\.0 "):
        adapter(lab).release("v1.2.0", "One", "notes", files)
    assert not lab.writes()


def test_a_pipeline_of_the_tag_shows_that_it_is_there(files: dict[str, Path]) -> None:
    lab = tagged()
    adapter(lab, replace(RUN, ref="v1.2.0", is_tag=True)).release("v1.2.0", "One", "notes", files)
    assert not any("/repository/tags" in asked.path for asked in lab.asked)


@pytest.mark.parametrize("tag", ["version", "vv1", "v1/2", "..", "v", "1..2", "v1.2 "])
def test_a_tag_that_is_no_version_of_a_package_is_refused_first(files: dict[str, Path], tag: str) -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault, match="is no version of a package"):
        adapter(lab).release(tag, "One", "notes", files)
    assert not lab.asked


@pytest.mark.parametrize("name", ["a b", "../x", ".hidden", "x.", "", "ü", "a\n", "a%2fb"])
def test_a_file_with_a_name_that_gitlab_may_not_keep_is_refused_first(tmp_path: Path, name: str) -> None:
    lab = tagged()
    with pytest.raises(ForgeFault, match="cannot be a file of a release"):
        adapter(lab).release("v1.2.0", "One", "notes", {name: tmp_path})
    assert not lab.asked


def test_an_empty_file_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    lab = tagged()
    with pytest.raises(ForgeFault, match="empty is empty"):
        adapter(lab).release("v1.2.0", "One", "notes", {"empty": tmp_path / "empty"})
    assert not lab.asked


def test_a_release_with_the_jobs_token_alone_uses_no_other(files: dict[str, Path]) -> None:
    lab = tagged()
    adapter(lab, job=JOB, own="").release("v1.2.0", "One", "notes", files)
    assert {asked.by for asked in lab.asked} == {"job"}
