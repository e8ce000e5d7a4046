"""The gate "main is green": which checks it asks for, and that it never passes without an answer."""

import json
import threading
from types import SimpleNamespace
from typing import cast

import pytest

from ci_lib.cli import green
from ci_lib.cli.console import Session
from ci_lib.cli.green import green_rows
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import DeployError, StepFault
from ci_lib.domain.forge import CheckState, CommitCheck, Forge, ForgeFault
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import Mark
from ci_lib.domain.reasons import REASONS, Exit, Reason
from ci_lib.forge.none import NoForge
from tests.fake_forge import FakeForge

ONE, TWO = "a" * 40, "b" * 40
SESSION = cast("Session", None)


def settings(*names: str) -> Resolved:
    release = SimpleNamespace(release=SimpleNamespace(commit_checks=names))
    return cast("Resolved", SimpleNamespace(target="process", images={}, settings=release))


def facts(**tags: str) -> dict[str, str]:
    named = {name: f"builds/{name}:{tag}@sha256:{'1' * 64}" for name, tag in tags.items()}
    return {"DEPLOY_IMAGES": json.dumps(named)}


def resolve(_: str, reference: Reference) -> str:
    """Every tag points to the same image, but `moved`."""
    return f"sha256:{('2' if reference.repository.endswith('moved') else '1') * 64}"


def passed(name: str) -> CommitCheck:
    return CommitCheck(name=name, state=CheckState.PASSED)


def test_each_commit_of_the_release_is_asked_for_each_name() -> None:
    forge = FakeForge(checks={ONE: (passed("Gate"),), TWO: ()})
    rows = green_rows(SESSION, settings("Gate"), forge, facts(api=f"sha-{ONE}", web=f"sha-{TWO}"), resolve)
    assert [(row.mark, row.value) for row in rows] == [
        (Mark.PASSED, f"passed for {ONE[:12]}"),
        (Mark.FAILED, f"no such check for {TWO[:12]}"),
    ]


def test_where_no_check_is_named_nothing_is_asked() -> None:
    forge = FakeForge()
    assert green_rows(SESSION, settings(), forge, facts(api="v1"), resolve) == ()
    assert forge.told == []


@pytest.mark.parametrize(
    ("forge", "tag", "why"),
    [
        (FakeForge(), "v1", r"no commit is known of api \(neither a label nor its tag names one\)"),
        (FakeForge(fault=ForgeFault("HTTP 503", hint="try again")), f"sha-{ONE}", "HTTP 503"),
        (NoForge("the job hands over no token"), f"sha-{ONE}", "no token"),
    ],
)
def test_what_cannot_be_told_is_refused_with_exit_11(forge: Forge, tag: str, why: str) -> None:
    with pytest.raises(StepFault, match=why) as caught:
        green_rows(SESSION, settings("Gate"), forge, facts(api=tag), resolve)
    assert REASONS[caught.value.reason][0] is Exit.CANNOT_DECIDE
    assert caught.value.hint


def test_a_green_commit_typed_in_front_of_another_image_does_not_pass() -> None:
    forge = FakeForge(checks={ONE: (passed("Gate"),)})
    with pytest.raises(StepFault, match=r"known of moved \(its tag sha-a+… does not point") as caught:
        green_rows(SESSION, settings("Gate"), forge, facts(api=f"sha-{ONE}", moved=f"sha-{ONE}"), resolve)
    assert REASONS[caught.value.reason][0] is Exit.CANNOT_DECIDE
    assert forge.told == []


def test_a_registry_that_fails_is_the_cause_that_is_named() -> None:
    def down(_: str, __: Reference) -> str:
        raise DeployError("r.example does not answer", hint="is it up?", reason=Reason.REGISTRY)

    with pytest.raises(StepFault, match=r"of api \(r.example does not answer\)") as caught:
        green_rows(SESSION, settings("Gate"), FakeForge(), facts(api=f"sha-{ONE}"), down)
    assert caught.value.hint == "is it up?"


def test_a_forge_that_is_slow_does_not_hold_the_lock_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(sha: str) -> tuple[CommitCheck, ...]:
        assert not threading.Event().wait(30), sha
        return ()

    forge = FakeForge()
    monkeypatch.setattr(forge, "commit_checks", waits)
    monkeypatch.setattr(green, "_SECONDS", 0.05)
    with pytest.raises(StepFault, match="took more than") as caught:
        green_rows(SESSION, settings("Gate"), forge, facts(api=f"sha-{ONE}"), resolve)
    assert caught.value.exit is Exit.CANNOT_DECIDE
