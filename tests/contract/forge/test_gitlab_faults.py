"""Whatever goes wrong at whatever request: a ``ForgeFault``, and one record after the next try."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.forge import DeploymentState, ForgeFault, RunState
from ci_lib.forge.gitlab import GitLab
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.contract.forge.fake_gitlab import JOB, OWN, FakeGitLab, Fault
from tests.contract.forge.gitlab_jobs import adapter, check_fault
from tests.contract.forge.gitlab_pages import ANN, World
from tests.contract.forge.test_gitlab_records import DONE, OTHER, OURS
from tests.contract.forge.test_gitlab_rules import branch, environment, level, status, variable
from tests.contract.forge.test_gitlab_runs import OWNER, said


def told(status: int, body: Any = None, **headers: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body or {"message": f"no: {JOB} {OWN}"}).encode()
    return Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=data)


BEFORE = [
    Fault(name="400", answer=told(400, {"message": {"title": ["is too long", f"{OWN}"]}})),
    Fault(name="401", answer=told(401)),
    Fault(name="403", answer=told(403, {"error": "insufficient_scope"})),
    Fault(name="404", answer=told(404)),
    Fault(name="409", answer=told(409)),
    Fault(name="422", answer=told(422, ["odd"])),
    Fault(name="429 for a second", answer=told(429, retry_after="1")),
    Fault(name="429 for long", answer=told(429, retry_after="99999999999")),
    Fault(name="500", answer=told(500)),
    Fault(name="time-out", answer=TimedOut("it did not answer")),
    Fault(name="no way", answer=Unreachable(f"its name cannot be resolved: {OWN}")),
    Fault(name="to another host", answer=told(302, location="https://evil.example/")),
    Fault(name="half of a JSON", answer=told(200, b'{"a": ')),
    Fault(name="a page to sign in", answer=told(200, b"<html>")),
    Fault(name="deep JSON", answer=told(200, b"[" * 100_000)),
    Fault(name="a list", answer=told(200, b"[17]")),
    Fault(name="a list of nothing", answer=told(200, b"[{}]")),
    Fault(name="an object", answer=told(200, b'{"id": "x", "author": 1}')),
    Fault(name="a number", answer=told(200, b"17")),
    Fault(name="nothing", answer=told(200, b"")),
    Fault(name="null", answer=told(200, b"null")),
    Fault(name="pages in a circle", answer=told(200, b"[]", x_next_page="1")),
    Fault(name="a page that is none", answer=told(200, b"[]", x_next_page="next")),
]
LOST = [
    Fault(name="done, and 502", answer=told(502), done=True),
    Fault(name="done, and time-out", answer=TimedOut("it did not answer"), done=True),
    Fault(name="done, and half of a JSON", answer=told(201, b'{"id": 1'), done=True),
    Fault(name="done, and an empty answer", answer=told(201, b""), done=True),
    Fault(name="done, and an empty object", answer=told(201, b"{}"), done=True),
]


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that is told to GitLab; `before` furnishes it, `after` is what has to be there in the end."""

    name: str
    do: Callable[[GitLab, Path], object]
    after: Callable[[World], object]
    before: Callable[[FakeGitLab], object] = lambda _: None


def _records(world: World) -> object:
    return [(each["sha"], each["status"], each["deployable"] is None) for each in world.deployments]


def _words(world: World) -> object:
    notes = {place: [each["body"] for each in notes] for place, notes in world.notes.items()}
    return notes, [(each["title"], each["state"], each["description"]) for each in world.issues]


def _releases(world: World) -> object:
    files = [each["file_name"] for found in world.files.values() for each in found]
    return list(world.releases), sorted(files), sorted(each["name"] for each in world.links.get("v1.2.0", []))


def _release(forge: GitLab, folder: Path) -> object:
    for name in ("sbom.json", "notes.md"):
        (folder / name).write_text(name)
    return forge.release(
        "v1.2.0", "One", "notes", {name: folder / name for name in ("sbom.json", "notes.md")}
    )


def _failed_before(lab: FakeGitLab) -> None:
    lab.world.deployment("production", sha=OURS, status="failed", deployable=None)


def _released_by_hand(lab: FakeGitLab) -> None:
    lab.world.tags = {"v1.2.0": OTHER}
    lab.world.releases["v1.2.0"] = {"tag_name": "v1.2.0", "name": "mine", "description": ""}
    lab.world.file("1.2.0", "sbom.json", b"sbom.json")


DEEDS = [
    Deed(name="record", do=lambda forge, _: forge.record_deployment(DONE), after=_records),
    Deed(
        name="record again",
        do=lambda forge, _: forge.record_deployment(DONE),
        after=_records,
        before=_failed_before,
    ),
    Deed(name="name", do=lambda forge, _: forge.name_run("shop"), after=lambda world: world.pipelines),
    Deed(name="note", do=lambda forge, _: forge.comment("plan", "text"), after=_words),
    Deed(
        name="note again",
        do=lambda forge, _: forge.comment("plan", "text"),
        after=_words,
        before=lambda lab: lab.world.note("merge_requests/12", "<!-- deploy-actions:plan -->\nold"),
    ),
    Deed(name="issue", do=lambda forge, _: forge.issue("drift", "Drift", "text"), after=_words),
    Deed(
        name="issue again",
        do=lambda forge, _: forge.issue("drift", "Drift", "text"),
        after=_words,
        before=lambda lab: lab.world.issue(title="Drift", description="<!-- deploy-actions:drift -->\nx"),
    ),
    Deed(
        name="close",
        do=lambda forge, _: forge.close_issue("drift", "well"),
        after=_words,
        before=lambda lab: lab.world.issue(title="Drift", description="<!-- deploy-actions:drift -->\nx"),
    ),
    Deed(
        name="release",
        do=_release,
        after=_releases,
        before=lambda lab: lab.world.tags.update({"v1.2.0": OTHER}),
    ),
    Deed(name="complete", do=_release, after=_releases, before=_released_by_hand),
]


def world_for(deed: Deed) -> FakeGitLab:
    lab = FakeGitLab()
    deed.before(lab)
    return lab


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
@pytest.mark.parametrize("own", [OWN, ""], ids=["both tokens", "the job's token"])
def test_whatever_fails_at_whatever_request_the_next_try_leaves_one_record(
    deed: Deed, own: str, tmp_path: Path
) -> None:
    whole = world_for(deed)
    if not own and deed.after is _words:
        return  # no job's token may
    deed.do(adapter(whole, own=own), tmp_path)
    wanted = deed.after(whole.world)
    for number in range(len(whole.asked)):
        for fault in (*BEFORE, *LOST):
            lab = world_for(deed)
            lab.faults[number] = fault
            try:
                deed.do(adapter(lab, own=own), tmp_path)
            except ForgeFault as caught:
                check_fault(caught, JOB, own)
            lab.faults.clear()
            deed.do(adapter(lab, own=own), tmp_path)
            assert deed.after(lab.world) == wanted, (number, fault.name)
            assert not any(each["status"] == "running" for each in lab.world.deployments)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_when_nothing_answers_any_more_the_waiting_ends(deed: Deed, tmp_path: Path) -> None:
    for fault in (BEFORE[6], BEFORE[8]):
        lab = world_for(deed)
        lab.faults = dict.fromkeys(range(1000), fault)
        with pytest.raises(ForgeFault) as caught:
            deed.do(adapter(lab), tmp_path)
        check_fault(caught.value)
        assert len(lab.asked) <= 61


def _furnished() -> FakeGitLab:
    lab = FakeGitLab()
    lab.world.deployment("production", approvals=[said(ANN, "approved", 1)])
    branch(lab, "main", code_owner_approval_required=True)
    rules = [level(None, "ops", group_id=134, required_approvals=2)]
    environment(lab, approval_rules=rules, deploy_access_levels=[level(None, "Ann", user_id=51)])
    lab.world.approval_rules = [{"name": "all", "approvals_required": 1, "protected_branches": []}]
    status(lab, 5, "test", "failed")
    lab.world.variables = [variable("ALL")]
    return lab


QUESTIONS: dict[str, Callable[[GitLab], object]] = {
    "reviews": lambda forge: forge.reviews("production"),
    "checks": lambda forge: forge.commit_checks("a" * 40),
    "branch": lambda forge: forge.branch_rules("main"),
    "environment": lambda forge: forge.environment_rules("production"),
    "names": lambda forge: forge.variable_names("production"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_whatever_fails_a_question_has_the_right_answer_or_none(question: str) -> None:
    ask = QUESTIONS[question]
    whole = _furnished()
    wanted = ask(adapter(whole))
    for number in range(len(whole.asked)):
        for fault in BEFORE:
            lab = _furnished()
            lab.faults[number] = fault
            try:
                found = ask(adapter(lab))
            except ForgeFault as caught:
                check_fault(caught)
            else:
                # Of a GitLab without such rules the list of them does not exist: none are asked for.
                allowed = question == "branch" and fault.name == "404" and number == 2
                assert found == wanted or allowed, (number, fault.name)


def test_whatever_fails_a_job_is_not_said_to_have_ended() -> None:
    for fault in BEFORE:
        lab = FakeGitLab()
        lab.world.job(70, "success")
        lab.faults[0] = fault
        state = adapter(lab, own="").run_state(OWNER)
        passing = fault.name in {"429 for a second", "500", "time-out", "no way"}
        assert state is (RunState.ENDED if passing else RunState.UNKNOWN), fault.name


def test_a_deployment_that_failed_is_recorded_as_failed() -> None:
    lab = FakeGitLab()
    adapter(lab).record_deployment(replace(DONE, state=DeploymentState.FAILURE))
    assert _records(lab.world) == [(OURS, "failed", True)]
