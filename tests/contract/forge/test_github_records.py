"""What GitHub is told: deployments, comments, issues, releases. Each leaves one record, though told twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.forge import Deployment, DeploymentState, ForgeFault
from ci_lib.forge.github import GitHub
from ci_lib.ports.protocols import Response
from tests.contract.forge.conftest import RUN
from tests.contract.forge.fake_github import FakeGitHub, Fault
from tests.contract.forge.github_pages import BOT, user

Make = Callable[..., GitHub]

OURS, OTHER = "a" * 40, "c" * 40
JOB = "https://github.com/acme/shop/actions/runs/7/job/70"
PRODUCTION = Deployment(
    stack="shop",
    environment="production",
    sha=OURS,
    version="sha-1",
    state=DeploymentState.SUCCESS,
    description="deployed and verified",
    url="https://shop.example",
    production=True,
)
PAYLOAD = {"run": 7, "job": "", "stack": "shop", "sha": OURS}


def states(hub: FakeGitHub) -> list[tuple[str, str]]:
    return [
        (state["state"], state["description"])
        for record in hub.world.deployments
        for state in hub.world.states[record["id"]]
    ]


def test_where_there_is_no_record_one_is_made_with_the_versions_commit(hub: FakeGitHub, forge: Make) -> None:
    assert forge().record_deployment(PRODUCTION) == "https://github.com/acme/shop/deployments/production"
    made = next(asked.body for asked in hub.asked if asked.method == "POST")
    assert made == {
        "ref": OURS,
        "auto_merge": False,
        "required_contexts": [],
        "payload": {"deploy-actions": PAYLOAD},
        "environment": "production",
        "description": "sha-1",
        "transient_environment": False,
        "production_environment": True,
    }
    assert states(hub) == [("success", "sha-1: deployed and verified")]


def test_of_a_commit_that_nobody_knows_there_is_no_record_but_a_word_in_githubs_own(
    hub: FakeGitHub, forge: Make
) -> None:
    unknown = replace(PRODUCTION, sha="")
    with pytest.raises(ForgeFault, match="the commit of sha-1 is not known"):
        forge().record_deployment(unknown)
    assert not hub.world.deployments
    record = hub.world.deployment(environment="production", sha=OTHER)
    hub.world.state(record, state="in_progress", log_url=JOB)
    forge().record_deployment(unknown)
    assert states(hub)[0] == ("success", "sha-1: deployed and verified")


def test_told_twice_there_is_one_record_with_one_status(hub: FakeGitHub, forge: Make) -> None:
    forge().record_deployment(PRODUCTION)
    forge().record_deployment(PRODUCTION)
    assert states(hub) == [("success", "sha-1: deployed and verified")]


def test_the_record_that_github_made_for_the_job_is_the_only_one(hub: FakeGitHub, forge: Make) -> None:
    record = hub.world.deployment(environment="production", sha=OTHER)
    hub.world.state(record, state="in_progress", log_url=JOB, target_url=JOB)
    forge().record_deployment(PRODUCTION)
    forge().record_deployment(PRODUCTION)
    assert [one["id"] for one in hub.world.deployments] == [record["id"]]
    assert states(hub)[0] == ("success", f"sha-1 (commit {OURS[:12]}): deployed and verified")
    assert len(states(hub)) == 2


@pytest.mark.parametrize("refused", [False, True])
def test_the_record_of_another_job_of_the_run_is_left_alone_where_this_job_can_be_told(
    hub: FakeGitHub, forge: Make, refused: bool
) -> None:
    mine, others = (hub.world.deployment(environment="production", sha=OTHER) for _ in range(2))
    for record, job in ((mine, 71), (others, 72)):
        page = f"https://github.com/acme/shop/actions/runs/7/job/{job}"
        hub.world.state(record, state="in_progress", log_url=page, target_url=page)
        hub.world.job(7, 1, "in_progress", f"box-{job}", id=job)
    if refused:
        hub.faults[2] = Fault(name="denied", answer=Response(status=403, headers={}, body=b"{}"))
    forge(replace(RUN, job="eu", attempt=1, runner="box-71")).record_deployment(PRODUCTION)
    # Without the permission the newest of the run is all that is known.
    told, left = (others, mine) if refused else (mine, others)
    assert [len(hub.world.states[record["id"]]) for record in (told, left)] == [2, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"creator": user("ann")},
        {"log": "https://github.com/acme/shop/actions/runs/77/job/1"},
        {"log": "https://github.com/acme/other/actions/runs/7/job/1"},
        {"log": "https://evil.example/acme/shop/actions/runs/7"},
        {"environment": "staging"},
        {"created_at": "2026-01-02T02:59:59Z"},
        {"payload": {"deploy-actions": {**PAYLOAD, "sha": OTHER}}},
        {"payload": {"deploy-actions": {**PAYLOAD, "stack": "jobs"}}},
        {"payload": {"deploy-actions": {**PAYLOAD, "job": "eu"}}},
        {"payload": '{"deploy-actions": {"run": 7, "sha": "x"}}'},
    ],
)
def test_a_record_of_somebody_else_is_left_alone(hub: FakeGitHub, forge: Make, other: dict[str, Any]) -> None:
    log = other.pop("log", JOB)
    record = hub.world.deployment(**{"environment": "production", "sha": "d" * 40, **other})
    hub.world.state(record, state="in_progress", log_url=log, target_url=log)
    forge().record_deployment(PRODUCTION)
    assert len(hub.world.deployments) == 2
    assert len(hub.world.states[record["id"]]) == 1


def test_a_record_of_github_that_leads_to_no_run_is_known_by_the_runs_commit(
    hub: FakeGitHub, forge: Make
) -> None:
    record = hub.world.deployment(environment="production", sha=OTHER)
    hub.world.state(record, state="in_progress", log_url="https://github.com/acme/shop/runs/70")
    forge().record_deployment(PRODUCTION)
    assert len(hub.world.deployments) == 1


def test_a_payload_that_comes_back_as_text_is_ours_all_the_same(hub: FakeGitHub, forge: Make) -> None:
    forge().record_deployment(PRODUCTION)
    hub.world.deployments[0]["payload"] = json.dumps({"deploy-actions": PAYLOAD})
    forge().record_deployment(PRODUCTION)
    assert len(hub.world.deployments) == 1


def test_going_back_within_a_run_gets_a_record_with_its_own_commit(hub: FakeGitHub, forge: Make) -> None:
    forge().record_deployment(PRODUCTION)
    forge().record_deployment(replace(PRODUCTION, sha=OTHER, version="sha-0"))
    assert [one["sha"] for one in hub.world.deployments] == [OTHER, OURS]


def test_a_record_behind_many_others_is_found(hub: FakeGitHub, forge: Make) -> None:
    hub.page = 2
    forge().record_deployment(PRODUCTION)
    for _ in range(5):
        hub.world.deployment(environment="production", sha=OTHER, creator=user("ann"))
    forge().record_deployment(PRODUCTION)
    assert len(hub.world.deployments) == 6


def test_a_description_is_cut_to_what_github_takes(hub: FakeGitHub, forge: Make) -> None:
    forge().record_deployment(replace(PRODUCTION, version="v" * 300, description="d\n" * 300))
    assert all(len(text) <= 140 and "\n" not in text for _, text in states(hub))


def bodies(hub: FakeGitHub) -> list[str]:
    return [comment["body"] for _, comment in hub.world.comments]


def test_a_comment_is_written_anew_and_not_again(hub: FakeGitHub, forge: Make) -> None:
    first = forge().comment("deploy/production", "one")
    assert first == forge().comment("deploy/production", "two")
    assert bodies(hub) == ["<!-- deploy-actions:deploy/production -->\ntwo"]
    hub.asked.clear()
    forge().comment("deploy/production", "two")
    assert not hub.writes()


def test_a_comment_behind_many_others_is_found(hub: FakeGitHub, forge: Make) -> None:
    hub.page = 2
    for number in range(5):
        hub.world.comment(12, f"word {number}", user("ann"))
    forge().comment("plan", "one")
    forge().comment("plan", "two")
    assert len(hub.world.comments) == 6


@pytest.mark.parametrize("by", [user("ann"), user("github-actions"), user("other[bot]", "Bot")])
def test_a_comment_of_somebody_else_with_our_mark_is_left_alone(
    hub: FakeGitHub, forge: Make, by: dict[str, Any]
) -> None:
    hub.world.comment(12, "<!-- deploy-actions:plan -->\nmine", by)
    forge().comment("plan", "ours")
    assert bodies(hub) == ["<!-- deploy-actions:plan -->\nmine", "<!-- deploy-actions:plan -->\nours"]


def test_a_bot_is_known_with_and_without_its_suffix(hub: FakeGitHub, forge: Make) -> None:
    hub.world.viewer = "github-actions"
    hub.world.comment(12, "<!-- deploy-actions:plan -->\nold", BOT)
    forge().comment("plan", "new")
    assert bodies(hub) == ["<!-- deploy-actions:plan -->\nnew"]


def test_a_mark_within_a_comment_means_nothing(hub: FakeGitHub, forge: Make) -> None:
    forge().comment("one", "says <!-- deploy-actions:two -->")
    forge().comment("two", "here")
    assert len(bodies(hub)) == 2


def test_a_mark_cannot_end_its_hiding_place(hub: FakeGitHub, forge: Make) -> None:
    forge().comment("x --> @everybody <!--\n", "text")
    first, _, rest = bodies(hub)[0].partition("\n")
    assert first == "<!-- deploy-actions:x%20--%3E%20%40everybody%20%3C%21--%0A -->"
    assert rest == "text"


def test_a_comment_that_is_too_long_is_cut(hub: FakeGitHub, forge: Make) -> None:
    forge().comment("plan", "ü\n" * 60000)
    assert len(bodies(hub)[0]) <= 65536
    assert bodies(hub)[0].rstrip().endswith("the evidence of the run holds all of it.**")


def test_a_run_without_a_pull_request_has_nothing_to_comment_on(hub: FakeGitHub, forge: Make) -> None:
    assert forge(replace(RUN, request=0)).comment("plan", "text") == ""
    assert not hub.asked


def test_an_issue_is_opened_once_and_written_anew(hub: FakeGitHub, forge: Make) -> None:
    first = forge().issue("drift/production", "Drift in production", "one")
    assert first == forge().issue("drift/production", "Drift in production: 2", "two")
    assert [(one["title"], one["body"].split("\n")[1]) for one in hub.world.issues] == [
        ("Drift in production: 2", "two")
    ]


def test_pull_requests_and_issues_of_others_are_left_alone(hub: FakeGitHub, forge: Make) -> None:
    body = "<!-- deploy-actions:drift -->\nx"
    link = {"diff_url": None, "html_url": None, "patch_url": None, "url": None}
    hub.world.issue(title="a request", body=body, pull_request=link)
    hub.world.issue(title="by somebody", body=body, user=user("ann"))
    forge().issue("drift", "Drift", "ours")
    assert [one["title"] for one in hub.world.issues] == ["a request", "by somebody", "Drift"]


def test_an_issue_is_closed_with_a_last_word_and_opened_anew_later(hub: FakeGitHub, forge: Make) -> None:
    forge().issue("drift", "Drift", "one")
    assert forge().close_issue("drift", "all is well").endswith("/issues/1")
    assert forge().close_issue("drift", "all is well") == ""
    forge().issue("drift", "Drift", "two")
    assert [one["state"] for one in hub.world.issues] == ["closed", "open"]
    assert bodies(hub) == ["<!-- deploy-actions:drift/closed -->\nall is well"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {"sbom.json": b"{}", "empty.txt": b"", "notes.md": b"# 1"}
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in found}


def names(hub: FakeGitHub) -> list[tuple[str, bool, list[str]]]:
    return [
        (one["tag_name"], one["draft"], sorted(asset["name"] for asset in one["assets"]))
        for one in hub.world.releases
    ]


WHOLE = [("v1", False, ["empty.txt", "notes.md", "sbom.json"])]


def test_a_release_is_a_draft_until_it_is_whole(hub: FakeGitHub, forge: Make, files: dict[str, Path]) -> None:
    hub.world.tags = ["v1"]
    assert (
        forge().release("v1", "Version 1", "notes", files) == "https://github.com/acme/shop/releases/tag/v1"
    )
    assert names(hub) == WHOLE
    writes = [asked for asked in hub.asked if asked.method in ("POST", "PATCH") and asked.path != "/graphql"]
    assert writes[0].body["draft"] is True
    assert writes[-1].body["draft"] is False


def test_a_release_that_is_there_stays_as_it_is(hub: FakeGitHub, forge: Make, files: dict[str, Path]) -> None:
    hub.world.tags = ["v1"]
    forge().release("v1", "Version 1", "notes", files)
    hub.asked.clear()
    forge().release("v1", "another title", "other notes", files)
    assert not hub.writes()


def test_a_published_file_is_never_replaced(hub: FakeGitHub, forge: Make, files: dict[str, Path]) -> None:
    hub.world.tags = ["v1"]
    forge().release("v1", "Version 1", "notes", files)
    files["notes.md"].write_bytes(b"# 2")
    hub.asked.clear()
    with pytest.raises(ForgeFault, match=r"notes\.md differs from ours"):
        forge().release("v1", "Version 1", "notes", files)
    assert not hub.writes()


def test_a_published_file_of_which_github_tells_no_digest_may_differ(
    hub: FakeGitHub, forge: Make, files: dict[str, Path]
) -> None:
    hub.world.tags = ["v1"]
    hub.world.asset(hub.world.release("v1"), "sbom.json", b"{}", digest=None)
    with pytest.raises(ForgeFault, match="does not tell"):
        forge().release("v1", "Version 1", "notes", files)


def test_what_a_broken_upload_left_is_uploaded_anew(
    hub: FakeGitHub, forge: Make, files: dict[str, Path]
) -> None:
    hub.world.tags = ["v1"]
    hub.world.asset(hub.world.release("v1", draft=True), "sbom.json", b"", state="open")
    forge().release("v1", "Version 1", "notes", files)
    assert names(hub) == WHOLE


def test_a_draft_of_a_person_is_left_alone(hub: FakeGitHub, forge: Make, files: dict[str, Path]) -> None:
    hub.world.tags = ["v1"]
    hub.world.release("v1", draft=True, author=user("ann"))
    forge().release("v1", "Version 1", "notes", files)
    assert names(hub) == [("v1", True, []), *WHOLE]


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example",
        "http://uploads.github.com",
        "https://gist.github.com",
        "https://api.github.com:8",
    ],
)
def test_files_go_to_no_other_host(hub: FakeGitHub, forge: Make, files: dict[str, Path], place: str) -> None:
    hub.world.tags = ["v1"]
    made = hub.world.release("v1")
    made["upload_url"] = made["upload_url"].replace("https://uploads.github.com", place)
    with pytest.raises(ForgeFault):
        forge().release("v1", "Version 1", "notes", files)
    assert not hub.writes()


def test_without_its_tag_there_is_no_release_and_no_tag_is_made(hub: FakeGitHub, forge: Make) -> None:
    hub.world.tags = ["v1.1"]
    with pytest.raises(ForgeFault, match="there is no tag v1 "):
        forge().release("v1", "Version 1", "notes", {})
    assert not hub.writes()


@pytest.mark.parametrize("name", ["a b", "../x", ".hidden", "x.", "", "ü", "a\n"])
def test_a_file_that_github_would_rename_is_refused_first(
    hub: FakeGitHub, forge: Make, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ForgeFault, match="would rename it"):
        forge().release("v1", "Version 1", "notes", {name: tmp_path})
    assert not hub.asked


def test_an_enterprise_server_is_asked_at_its_own_places(forge: Make, hub: FakeGitHub) -> None:
    hub.api = "https://ghe.acme.example/api/v3"
    run = replace(RUN, api=hub.api, server="https://ghe.acme.example")
    forge(run).comment("plan", "one")
    forge(run).comment("plan", "two")
    assert bodies(hub) == ["<!-- deploy-actions:plan -->\ntwo"]
