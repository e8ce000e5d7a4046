"""Where `doctor` asks, about which branch and environments, and what it does not ask twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli import doctor, doctor_machines
from ci_lib.cli.console import Session
from ci_lib.cli.forges import forge_at_hand, forge_name
from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.domain.doctor import Row, Standing
from ci_lib.domain.errors import StepFault
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.redact import Redactor
from ci_lib.forge.github import GitHub
from ci_lib.forge.gitlab import GitLab
from ci_lib.forge.none import NoForge
from ci_lib.ports.protocols import Host, Ran, Response, Unreachable
from tests.fakes import FakeClock, FakeHost, FakeNet, FakeReporter

HUB = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_TOKEN": "hub-token"}
LAB = {"CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "7", "GITLAB_TOKEN": "lab-token"}


def session(
    env: dict[str, str], *, provider: str = "local", files: dict[str, bytes] | None = None
) -> Session:
    nowhere: Any = None
    return Session(
        env=env,
        facts=CiFacts(provider=provider, owner="somebody", actor="ann"),
        redact=Redactor(),
        reporter=FakeReporter(),
        runner=FakeHost(name="runner", local=True, files=files or {}),
        out=nowhere,
        err=nowhere,
    )


def test_a_terminal_names_its_forge_by_variables_and_a_job_has_its_own() -> None:
    assert forge_name(session({})) == ""
    assert forge_name(session(HUB)) == "github"
    assert forge_name(session(LAB)) == "gitlab"
    assert forge_name(session(HUB, provider="gitlab")) == "gitlab"


def test_a_terminal_asks_with_a_persons_token() -> None:
    hub = forge_at_hand(session(HUB))
    assert isinstance(hub, GitHub)
    lab = forge_at_hand(session(LAB))
    assert isinstance(lab, GitLab)
    assert lab._run.protected, "releases come from a protected branch"


def test_the_run_of_a_job_is_its_own() -> None:
    job = {**LAB, "CI_PIPELINE_ID": "6", "CI_JOB_ID": "70", "CI_COMMIT_REF_PROTECTED": "false"}
    lab = forge_at_hand(session(job, provider="gitlab"))
    assert isinstance(lab, GitLab)
    assert (lab._run.job, lab._run.protected) == (70, False)


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "no forge is named here"),
        ({"GITHUB_REPOSITORY": "acme/shop"}, "no token"),
        ({**HUB, "GITHUB_API_URL": "http://elsewhere.example"}, "name no repository"),
        ({**LAB, "CI_API_V4_URL": ""}, "name no project"),
        ({**LAB, "GITLAB_TOKEN": ""}, "no token"),
    ],
)
def test_without_token_or_place_nothing_is_asked(env: dict[str, str], why: str) -> None:
    forge = forge_at_hand(session(env))
    assert isinstance(forge, NoForge)
    with pytest.raises(ForgeFault, match=why):
        forge.branch_rules("main")


@pytest.mark.parametrize(
    ("event", "branch"),
    [
        (b'{"repository": {"default_branch": "trunk"}}', "trunk"),
        (b'{"repository": {"default_branch": ""}}', "main"),
        (b'{"repository": {"default_branch": ["x"]}}', "main"),
        (b'{"repository": null}', "main"),
        (b"[" * 100_000, "main"),
        (b"\xff", "main"),
    ],
)
def test_github_says_the_default_branch_in_the_event(event: bytes, branch: str) -> None:
    env = {"GITHUB_EVENT_PATH": "/event.json"}
    assert doctor._default_branch(session(env, files={"/event.json": event})) == branch


def test_gitlab_says_the_default_branch_in_a_variable_and_a_terminal_does_not() -> None:
    assert doctor._default_branch(session({"CI_DEFAULT_BRANCH": "trunk"})) == "trunk"
    assert doctor._default_branch(session({"GITHUB_EVENT_PATH": "/gone.json"})) == "main"
    assert doctor._default_branch(session({})) == "main"


def test_the_gate_is_what_was_named_or_what_our_templates_call_it() -> None:
    def gate(env: dict[str, str], check: str = "") -> tuple[str, bool]:
        found = doctor._gate(session(env), {"check": check})
        return found.check, found.told

    assert gate(HUB) == ("Gate", False)
    assert gate(LAB) == ("pipeline", False)
    assert gate(HUB, "Lint and test") == ("Lint and test", True)


CONFIG: dict[str, Any] = {
    "version": 1,
    "records": {"store": "git", "branch": "ledger"},
    "hosts": {
        "here": {"local": True},
        "web1": {"ssh": "deploy@web1.example", "known_hosts": "known_hosts"},
    },
    "environments": {
        "test": {"tier": "testing", "owner": "team", "hosts": ["here"]},
        "production": {"tier": "production", "owner": "team", "hosts": ["web1"]},
    },
    "stacks": {
        "shop": {
            "target": "compose",
            "images": {
                "api": {"repository": "one.example/api", "services": ["api"], "build": {"context": "."}},
                "web": {"repository": "one.example/web", "services": ["web"]},
                "db": {"repository": "two.example/db", "services": ["db"], "resolve": "host"},
            },
        },
        "small": {
            "target": "process",
            "process": {"services": {"a": {"command": ["./a"]}}},
            "images": {"a": {"repository": "builds/a", "services": ["a"]}},
        },
    },
}


def test_an_environment_that_cannot_take_the_stack_is_missing_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "machine_rows", lambda *_: ())
    file = tmp_path / "deploy.yml"
    values = {"config": str(file), "stack": "small", "environment": "", "branch": "", "check": ""}
    loaded = load(json.dumps(CONFIG), name="deploy.yml")
    places, _ = doctor._places(loaded, values)
    assert [one.environment for one in places] == ["test"]
    found = {row.name: row.seen for row in doctor._rows(session({}), loaded, values)}
    assert list(found) == ["environment production", "branch main", "environment production: approval"]
    unfit = found["environment production"]
    assert (unfit.standing, "--environment" in unfit.hint) == (Standing.MISSING, True), unfit
    assert found["environment production: approval"].standing is Standing.UNKNOWN, "there is no forge"


def test_the_tools_are_those_that_something_needs() -> None:
    loaded = load(json.dumps(CONFIG), name="deploy.yml")
    places = [resolve(loaded, "shop", name, "/shop") for name in ("test", "production")]
    assert doctor_machines._tools(places) == {
        "git": ["records", "build of api"],
        "docker": ["build of api"],
        "ssh": ["web1"],
    }
    assert doctor_machines._tools([resolve(loaded, "small", "test", "/shop")]) == {"git": ["records"]}


def test_a_clock_that_is_off_or_a_host_that_is_gone_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(_: Session, settings: Resolved, host: Host) -> tuple[CheckResult, ...]:
        if settings.environment == "test":
            raise StepFault("could not look at here")
        return (CheckResult(name="Docker engine", mark=Mark.FAILED, value="none", bound="20.10 or newer"),)

    answers: dict[str, FakeHost] = {
        "here": FakeHost(name="here", local=True, commands={("true",): Ran(code=0)}),
        "web1": FakeHost(commands={("true",): Ran(code=0), ("date",): Ran(code=0, stdout="0\n")}),
        "web2": FakeHost(name="web2", commands={("true",): Unreachable("no route to it")}),
    }
    hosts: Any = lambda name, _: answers[name]  # noqa: E731
    monkeypatch.setattr(doctor_machines, "host_checks", checks)
    config = json.loads(json.dumps(CONFIG))
    config["hosts"]["web2"] = config["hosts"]["web1"] | {"ssh": "deploy@web2.example"}
    config["environments"]["production"]["hosts"] = ["web2", "web1"]
    loaded = load(json.dumps(config), name="deploy.yml")
    places = [resolve(loaded, "shop", name, "/shop") for name in ("test", "production")]
    closed: set[str] = set()
    rows = list(doctor_machines._hosts(session({}), places, hosts, closed))
    assert [(row.name, row.seen.standing) for row in rows] == [
        ("host here", Standing.OK),
        ("test on here", Standing.MISSING),
        ("host web2", Standing.UNKNOWN),
        ("host web1", Standing.OK),
        ("host web1: clock", Standing.MISSING),
        ("production on web1: Docker engine", Standing.MISSING),
    ]
    assert closed == {"web2"}


ONE = "https://one.example/v2/{}/manifests/deploy-actions-doctor"


def registry_rows(
    net: FakeNet, monkeypatch: pytest.MonkeyPatch, login: dict[str, str] | None = None
) -> list[Row]:
    def access(*_: object) -> dict[str, Any]:
        return {"net": net, "credentials": lambda _: None, "clock": FakeClock()}

    monkeypatch.setattr(doctor_machines, "registry_access", access)
    config = json.loads(json.dumps(CONFIG))
    if login:  # in one environment alone
        config["stacks"]["shop"]["environments"] = {"test": {"registries": {"one.example": login}}}
    loaded = load(json.dumps(config), name="deploy.yml")
    places = [resolve(loaded, "shop", name, "/shop") for name in ("test", "production")]
    return list(doctor_machines._registries(session({}), places))


@pytest.mark.parametrize(
    ("body", "standing", "value"),
    [
        (b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', Standing.OK, "answers"),
        (b'{"errors": [{"code": "NAME_UNKNOWN"}]}', Standing.WEAK, "answers, and has no such repository yet"),
        (
            b'{"errors": [{"code": "NOT_FOUND"}]}',
            Standing.WEAK,
            "answers, and does not say whether there is such a repository",
        ),
        (b'{"errors": [{"code": "BLOB_UNKNOWN"}]}', Standing.UNKNOWN, "answers 404 (BLOB_UNKNOWN)"),
        (b'{"errors": []}', Standing.UNKNOWN, "answers 404 without a registry's word for it"),
        (b"<html>not found</html>", Standing.UNKNOWN, "answers 404 without a registry's word for it"),
        (b"", Standing.UNKNOWN, "answers 404 without a registry's word for it"),
    ],
)
def test_a_404_is_believed_only_in_a_registrys_own_words(
    body: bytes, standing: Standing, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = FakeNet(pages={ONE.format(name): Response(status=404, body=body) for name in ("api", "web")})
    rows = registry_rows(net, monkeypatch)
    assert (rows[0].seen.standing, rows[0].seen.value) == (standing, value)


def test_a_silent_registry_is_asked_once_and_one_that_only_hosts_ask_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = FakeNet()
    url = ONE.format("api")
    net.pages[url] = Unreachable("connection refused")
    rows = registry_rows(net, monkeypatch)
    assert [(row.name, row.seen.standing) for row in rows] == [
        ("image one.example/api", Standing.UNKNOWN),
        ("image one.example/web", Standing.UNKNOWN),
        ("image two.example/db", Standing.WEAK),
    ]
    assert {asked.url for asked in net.requests} == {url}


def test_a_registry_that_was_not_asked_or_answered_nonsense_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = FakeNet(pages={ONE.format("api"): Response(status=404), ONE.format("web"): Response(status=404)})
    rows = registry_rows(net, monkeypatch, {"username_env": "NOBODY", "password_env": "NOWHERE"})
    assert [(row.name, row.seen.value) for row in rows[:2] + rows[3:]] == [
        ("image one.example/api", "cannot be asked: NOBODY is not set here"),
        ("image one.example/web", "cannot be asked: NOBODY is not set here"),
        ("image one.example/api", "answers 404 without a registry's word for it"),
        ("image one.example/web", "answers 404 without a registry's word for it"),
    ]
