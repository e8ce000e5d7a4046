"""What the forge is told of an end, when, and what becomes of the end when the forge does not take it."""

import io
import tarfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ci_lib.ci.console import Console
from ci_lib.cli import told as module
from ci_lib.cli.console import Session
from ci_lib.cli.told import commented, told
from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.domain.errors import Cancelled
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.forge import Deployment, DeploymentState, Forge, ForgeFault
from ci_lib.domain.outcome import Outcome, Return
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.redact import Redactor
from ci_lib.forge.none import NoForge
from tests.fake_forge import URL, FakeForge
from tests.fakes import FakeHost, FakeReporter
from tests.golden.outcomes import DEPLOYED

TEXT = """\
version: 1
records: {path: records}
hosts: {here: {local: true}}
environments:
  production: {tier: production, owner: team, hosts: [here]}
  staging: {tier: staging, owner: team, hosts: [here]}
stacks:
  shop: {target: process, images: {api: {repository: builds/api, services: [api]}},
         process: {services: {api: {command: [run]}}}}
"""
COMMIT = "a" * 40
(CHANGE,) = DEPLOYED.changes
GOOD = replace(
    DEPLOYED,
    version=f"sha-{COMMIT}",
    changes=(replace(CHANGE, image=replace(CHANGE.image, tag=f"sha-{COMMIT}")),),
    notes=("as it was",),
)
BACK = replace(
    GOOD,
    status=Status.ROLLED_BACK,
    reason=Reason.ROLLED_BACK,
    rollback=Return(version="v1", release_id="1" * 64, proved=True),
)
DRIFT = replace(GOOD, verb=Verb.DRIFT, status=Status.FAILED, reason=Reason.DRIFT, changes=())
SAME = replace(DRIFT, status=Status.PASSED, reason=Reason.PASSED)
DENIED = ForgeFault("the record cannot be had: HTTP 403", hint="the job needs `deployments: write`")


@dataclass
class Desk:
    """A run of a CI, with a forge in memory; `settings` are those of production."""

    monkeypatch: pytest.MonkeyPatch
    forge: Any = field(default_factory=FakeForge)
    provider: str = "github"
    environment: str = "production"
    secrets: tuple[str, ...] = ()
    reporter: FakeReporter = field(default_factory=FakeReporter)
    err: io.StringIO = field(default_factory=io.StringIO)
    env: dict[str, str] = field(default_factory=dict)
    """The runner's variables; when they are empty, those of a run of the tag that is published."""
    made: int = 0
    """How often a forge was made, which shows and masks a token."""

    @property
    def settings(self) -> Any:
        return resolve(load(TEXT, name="deploy.yml"), "shop", self.environment, "/repo")

    @property
    def session(self) -> Session:
        def forge_of(_: Session) -> Forge:
            self.made += 1
            found: Forge = self.forge
            return found

        self.monkeypatch.setattr(module, "forge_of", forge_of)
        console = Console(self.err)
        return Session(
            env={},
            facts=CiFacts(provider=self.provider, owner="github:acme/shop/9/1/cd", actor="ann"),
            redact=Redactor(self.secrets),
            reporter=self.reporter,
            runner=FakeHost(),
            out=console,
            err=console,
        )

    def told(self, outcome: Outcome, **values: Any) -> Outcome:
        tag = {"GITHUB_REF": f"refs/tags/{values.get('publish')}", "GITHUB_SHA": COMMIT}
        session = replace(self.session, env=self.env or tag)
        return told(session, self.settings, values, outcome, lambda: "the notes")

    @property
    def warned(self) -> list[str]:
        return [text for kind, text in self.reporter.said if kind == "warn"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_a_deployment_is_told_with_the_commit_of_its_version(desk: Desk) -> None:
    assert desk.told(GOOD) == GOOD
    assert desk.forge.deployments == [
        Deployment(
            stack="shop",
            environment="production",
            sha=COMMIT,
            version=f"sha-{COMMIT}",
            state=DeploymentState.SUCCESS,
            description="shop deployed by deploy",
            production=True,
        )
    ]


def test_staging_is_no_production(desk: Desk) -> None:
    desk.environment = "staging"
    desk.told(GOOD)
    assert not desk.forge.deployments[0].production


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        (replace(GOOD, verb=Verb.ROLLBACK), "success", "shop deployed by rollback"),
        (replace(GOOD, status=Status.UNCHANGED, reason=Reason.UNCHANGED), "success", "shop serves already"),
        (BACK, "failure", "shop failed, v1 serves again"),
        (replace(BACK, verb=Verb.POST_VERIFY), "failure", "shop failed, v1 serves again"),
        (replace(BACK, verb=Verb.FINALIZE), "failure", "shop failed, v1 serves again"),
        (replace(BACK, rollback=None), "failure", "shop failed, nothing serves"),
        (replace(BACK, status=Status.PARTIAL), "failure", "shop failed, and needs a person"),
    ],
)
def test_how_it_ended_is_said_of_the_version_that_was_tried(
    desk: Desk, outcome: Outcome, state: str, words: str
) -> None:
    desk.told(outcome)
    (deployment,) = desk.forge.deployments
    assert (deployment.state, deployment.description, deployment.sha) == (state, words, COMMIT)


@pytest.mark.parametrize("proved", [True, False])
def test_the_version_that_serves_again_is_told_with_its_commit(desk: Desk, proved: bool) -> None:
    old = "b" * 40
    back = Return(version=f"sha-{old}", release_id="1" * 64, proved=proved)
    desk.told(replace(BACK, rollback=back))
    (deployment,) = desk.forge.deployments
    assert (deployment.back, deployment.back_sha) == ((f"sha-{old}", old) if proved else ("", ""))


@pytest.mark.parametrize(
    "outcome",
    [
        replace(GOOD, status=Status.REFUSED, reason=Reason.NOT_VERIFIED),
        replace(GOOD, status=Status.FAILED, reason=Reason.PULL),
        replace(GOOD, status=Status.UNKNOWN, reason=Reason.CANCELLED),
        replace(GOOD, verb=Verb.POST_VERIFY, status=Status.PASSED, reason=Reason.PASSED),
        replace(BACK, verb=Verb.RESTORE),
        replace(GOOD, verb=Verb.MIGRATE, status=Status.UNCHANGED, reason=Reason.UNCHANGED),
        DRIFT,
    ],
)
def test_of_an_environment_that_is_as_it_was_nothing_is_told(desk: Desk, outcome: Outcome) -> None:
    assert desk.told(outcome) == outcome
    assert (desk.forge.told, desk.made) == ([], 0)


def test_a_version_without_a_commit_is_told_without_one(desk: Desk) -> None:
    desk.told(DEPLOYED)
    assert [(found.version, found.sha) for found in desk.forge.deployments] == [("sha-2", "")]


@pytest.mark.parametrize("provider", ["local", "jenkins"])
def test_where_there_is_no_forge_nothing_is_told_and_nothing_is_said(desk: Desk, provider: str) -> None:
    desk.provider = provider
    for outcome in (GOOD, DRIFT):
        assert desk.told(outcome, issue=True, publish="v1") == outcome
    commented(desk.session, desk.settings, "page")
    assert desk.forge.told == []
    assert desk.reporter.said == []


def test_without_a_token_only_what_was_asked_for_is_missed(desk: Desk) -> None:
    desk.forge = NoForge("the job hands over no token")
    bare = replace(GOOD, evidence_path="")
    assert desk.told(GOOD) == GOOD
    assert desk.told(replace(SAME, notes=())).notes == ()
    for outcome, values in ((DRIFT, {"issue": True}), (SAME, {"issue": True}), (bare, {"publish": "v1"})):
        note = desk.told(outcome, **values).notes[-1]
        assert note.startswith("github was not told: ")
        assert "the job hands over no token" in note
    commented(desk.session, desk.settings, "page")
    assert len(desk.warned) == 4


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (DENIED, "the record cannot be had: HTTP 403. the job needs `deployments: write`"),
        (ForgeFault("no answer in time"), "no answer in time"),
        (TypeError("oops"), "a defect of deploy-actions (TypeError)"),
    ],
)
def test_a_forge_that_does_not_take_it_changes_nothing_but_a_note(
    desk: Desk, fault: Exception, why: str
) -> None:
    desk.forge.fault = fault
    note = f"github was not told: {why}"
    assert desk.told(GOOD) == replace(GOOD, notes=("as it was", note))
    assert desk.warned == [note]
    assert ("oops" in desk.err.getvalue()) is isinstance(fault, TypeError)


def test_a_signal_while_telling_keeps_the_outcome_and_ends_the_telling(desk: Desk, tmp_path: Path) -> None:
    desk.forge.fault = Cancelled("SIGTERM")
    found = desk.told(GOOD, publish="v1")
    assert found == replace(GOOD, notes=("as it was", "cancelled while github was told of it"))
    assert [words[0] for words in desk.forge.told] == ["deployment"]


def hangs(*_: object) -> str:
    """Answers after a minute: longer than any test waits for it."""
    threading.Event().wait(60)
    raise AssertionError


def test_a_forge_that_is_slow_has_one_time_limit_for_all_of_it(desk: Desk) -> None:
    desk.monkeypatch.setattr(module, "_TELLING", 0.05)
    desk.monkeypatch.setattr(desk.forge, "record_deployment", hangs)
    note = "github was not told everything: it took more than 0.05 s"
    assert desk.told(GOOD, publish="v1") == replace(GOOD, notes=("as it was", note))
    assert desk.warned == [note]
    assert desk.forge.told == []


def test_a_comment_has_a_time_limit_too(desk: Desk) -> None:
    desk.monkeypatch.setattr(module, "_TELLING", 0.05)
    desk.monkeypatch.setattr(desk.forge, "comment", hangs)
    commented(desk.session, desk.settings, "page")
    assert desk.warned == ["github was not told everything: it took more than 0.05 s"]


def test_a_registry_that_is_silent_does_not_keep_the_forge_from_being_told(desk: Desk) -> None:
    desk.monkeypatch.setattr(module, "_ASKING", 0.05)
    desk.monkeypatch.setattr(module, "commit_of", hangs)
    desk.told(GOOD)
    assert [found.sha for found in desk.forge.deployments] == [""]
    assert desk.warned == ["the registries did not say in 0.05 s of which commit the images are"]


def test_no_registry_is_asked_where_nobody_is_told(desk: Desk) -> None:
    desk.monkeypatch.setattr(module, "commit_of", hangs)
    desk.told(DRIFT, issue=True)
    desk.forge = NoForge("the job hands over no token")
    assert desk.told(GOOD) == GOOD


def test_secrets_in_a_fault_are_masked(desk: Desk) -> None:
    desk.secrets = ("hunter2-hunter2",)
    desk.forge.fault = ForgeFault("HTTP 500: hunter2-hunter2")
    assert desk.told(GOOD).notes[-1] == "github was not told: HTTP 500: ***"
    assert "hunter2" not in str(desk.reporter.said)


def test_a_drift_has_one_issue_which_is_closed_when_it_is_over(desk: Desk) -> None:
    assert desk.told(DRIFT, issue=True).notes[-1] == f"the issue of this drift: {URL}"
    assert desk.told(SAME, issue=True).notes[-1] == f"the drift is over, closed: {URL}"
    (opened, closed) = desk.forge.told
    assert opened[:3] == ("issue", "drift/shop/production", "shop production has drifted")
    assert closed[:2] == ("close", "drift/shop/production")
    assert "has drifted" in opened[3]


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        (DRIFT, False),
        (replace(DRIFT, reason=Reason.LOCKED, status=Status.REFUSED), True),
        (replace(DRIFT, reason=Reason.UNREACHABLE), True),
    ],
)
def test_no_issue_is_touched_unasked_or_where_nothing_could_be_compared(
    desk: Desk, outcome: Outcome, wanted: bool
) -> None:
    desk.told(outcome, issue=wanted)
    assert desk.forge.told == []


def test_a_release_has_the_record_as_its_notes_and_the_evidence_as_a_file(desk: Desk, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence-deploy-shop-production-1-ab12cd34"
    (evidence / "logs").mkdir(parents=True)
    (evidence / "logs" / "api.log").write_text("hello")
    found = desk.told(replace(GOOD, evidence_path=str(evidence)), publish="v1.2.0")
    assert found.notes[-1] == f"the release of v1.2.0 is published: {URL}"
    (words,) = [words for words in desk.forge.told if words[0] == "release"]
    assert words[:4] == ("release", "v1.2.0", "v1.2.0", "the notes")
    ((name, data),) = words[4].items()
    assert name == f"{evidence.name}.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert f"{evidence.name}/logs/api.log" in archive.getnames()


@pytest.mark.parametrize("tag", ["v1.1.0", "1.1.0"])
def test_a_tag_that_is_the_version_is_published_from_any_run(desk: Desk, tag: str) -> None:
    desk.env = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": "c" * 40}
    desk.told(replace(GOOD, version="v1.1.0", evidence_path=""), publish=tag)
    assert desk.forge.told[-1][:2] == ("release", tag)


@pytest.mark.parametrize(
    "env",
    [
        {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": COMMIT},
        {"GITHUB_REF": "refs/tags/v1.3.0", "GITHUB_SHA": COMMIT},
        {"GITHUB_REF": "refs/tags/v1.2.0", "GITHUB_SHA": "c" * 40},
        {"CI_COMMIT_TAG": "v1.2.0", "CI_COMMIT_SHA": "c" * 40},
    ],
)
def test_the_release_of_another_tag_is_not_published_with_this_record(
    desk: Desk, env: dict[str, str]
) -> None:
    desk.env = env
    found = desk.told(replace(GOOD, version="v1.1.0", evidence_path=""), publish="v1.2.0")
    assert "the release of v1.2.0 is not published" in found.notes[-1]
    assert [words[0] for words in desk.forge.told] == ["deployment"]


def test_a_tag_is_published_by_its_own_pipeline_on_gitlab(desk: Desk) -> None:
    desk.env = {"CI_COMMIT_TAG": "v1.2.0", "CI_COMMIT_SHA": COMMIT}
    desk.told(replace(GOOD, evidence_path=""), publish="v1.2.0")
    assert desk.forge.told[-1][:2] == ("release", "v1.2.0")


def test_without_evidence_the_release_has_no_file(desk: Desk) -> None:
    desk.told(replace(GOOD, evidence_path=""), publish="v1")
    assert desk.forge.told[-1] == ("release", "v1", "v1", "the notes", {})


def test_evidence_that_is_gone_is_said(desk: Desk, tmp_path: Path) -> None:
    found = desk.told(replace(GOOD, evidence_path=str(tmp_path / "gone")), publish="v1")
    assert "the evidence cannot be packed: No such file" in found.notes[-1]


@pytest.mark.parametrize(("outcome", "tag"), [(BACK, "v1"), (GOOD, "")])
def test_a_red_run_publishes_nothing_and_none_does_unasked(desk: Desk, outcome: Outcome, tag: str) -> None:
    desk.told(replace(outcome, evidence_path=""), publish=tag)
    assert [words[0] for words in desk.forge.told] == ["deployment"]


def test_a_run_is_called_by_what_it_did(desk: Desk) -> None:
    desk.told(GOOD)
    desk.told(BACK)
    desk.told(DRIFT)
    assert desk.forge.names == [
        f"shop production runs sha-{COMMIT}",
        f"shop production is back on v1: sha-{COMMIT} failed",
    ]


def test_a_plan_has_one_comment_for_its_stack_and_environment(desk: Desk) -> None:
    commented(desk.session, desk.settings, "page")
    assert desk.forge.told == [("comment", "plan/shop/production", "page")]
    assert desk.reporter.said == []
