"""The gate "main is green": which checks it asks for, and that it never passes without an answer."""

import json
from types import SimpleNamespace
from typing import cast

import pytest

from ci_lib.cli.console import Session
from ci_lib.cli.green import green_rows
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.forge import CheckState, CommitCheck, Forge, ForgeFault
from ci_lib.domain.outcome import Mark
from ci_lib.domain.reasons import REASONS, Exit
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


def passed(name: str) -> CommitCheck:
    return CommitCheck(name=name, state=CheckState.PASSED)


def test_each_commit_of_the_release_is_asked_for_each_name() -> None:
    forge = FakeForge(checks={ONE: (passed("Gate"),), TWO: ()})
    rows = green_rows(SESSION, settings("Gate"), forge, facts(api=f"sha-{ONE}", web=f"sha-{TWO}"))
    assert [(row.mark, row.value) for row in rows] == [
        (Mark.PASSED, f"passed for {ONE[:12]}"),
        (Mark.FAILED, f"no such check for {TWO[:12]}"),
    ]


def test_where_no_check_is_named_nothing_is_asked() -> None:
    forge = FakeForge()
    assert green_rows(SESSION, settings(), forge, facts(api="v1")) == ()
    assert forge.told == []


@pytest.mark.parametrize(
    ("forge", "tag", "why"),
    [
        (FakeForge(), "v1", "no commit is known of api"),
        (FakeForge(fault=ForgeFault("HTTP 503", hint="try again")), f"sha-{ONE}", "HTTP 503"),
        (NoForge("the job hands over no token"), f"sha-{ONE}", "no token"),
    ],
)
def test_what_cannot_be_told_is_refused_with_exit_11(forge: Forge, tag: str, why: str) -> None:
    with pytest.raises(StepFault, match=why) as caught:
        green_rows(SESSION, settings("Gate"), forge, facts(api=tag))
    assert REASONS[caught.value.reason][0] is Exit.CANNOT_DECIDE
    assert caught.value.hint
