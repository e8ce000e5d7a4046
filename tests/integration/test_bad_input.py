"""A user's mistakes, through the real command line: one clear sentence, a next step, nothing changed."""

import json
import subprocess
from pathlib import Path

import pytest

from ci_lib.cli.demo_files import write_demo
from tests.integration.shop import START

CONFIG = "deploy.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_demo(tmp_path)
    return tmp_path


def call(folder: Path, *words: str) -> tuple[int, dict[str, str], str]:
    """Exit code, the failure (step, cause, hint), and standard error."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "RUNNER_TEMP": str(folder / "evidence")}
    argv = [*START, *words, "--json", "--config", str(folder / CONFIG)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env)
    return done.returncode, json.loads(done.stdout)["failure"] if done.stdout else {}, done.stderr


def edited(folder: Path, old: str, new: str) -> None:
    path = folder / CONFIG
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


STAGING = ("--environment", "staging")
V1 = ("--version", "v1")
PRODUCTION = ("--environment", "production")
AGREED = ("--reason", "because I have said so", "--approver", "bob")


@pytest.mark.parametrize(
    ("words", "code", "cause", "hint"),
    [
        (("deploy", *V1), 2, "no environment was named", "staging, production"),
        (("deploy", "--environment", "stagin", *V1), 2, 'no environment "stagin"', "staging"),
        (("deploy", *STAGING, *V1, "--stack", "helo"), 2, "no stack 'helo'", "'hello'"),
        (("deploy", *STAGING, *V1, "--stack", "../x;id"), 2, "no stack '../x;id'", "hello"),
        (("deploy", *STAGING), 2, "nothing to deploy was named", "--version"),
        (("deploy", *STAGING, "--version", "a b;c"), 2, "'a b;c' is not a version", "tag"),
        (("deploy", *STAGING, "--version", "latest"), 2, "'latest' is not a version", "commit"),
        (("deploy", *STAGING, *V1, "--only", "helo"), 2, "no image 'helo'", "'hello'"),
        (("deploy", *STAGING, "--image", "hello=builds/hello"), 2, "neither tag nor digest", "@sha256:"),
        (("deploy", *STAGING, "--image", "hello=evil/hello:1"), 2, "comes from builds/hello", "deploy.yml"),
        (("deploy", *STAGING, "--image", "hello=$(id)"), 2, "not an image reference", "lower case"),
        (("deploy", *STAGING, *V1, "--plan-hash", "$(id)"), 2, "'$(id)' is not the hash of a plan", "`plan`"),
        (("deploy", *STAGING, "--version", "v9"), 3, "no build builds/hello/v9", "built"),
        (("promote", *STAGING, *V1), 2, "has no `requires:`", "deploy"),
        (("promote", "--environment", "production", *V1), 10, "never verified in staging", "staging"),
        (("deploy", *PRODUCTION, *V1, "--force", "v1"), 2, "--force needs a reason", "--reason"),
        (("rollback", *STAGING), 2, "nothing to roll back to was named", "--last-good"),
        (("rollback", *STAGING, *V1), 2, "no release 'v1' ever served", "--list"),
        (("post-verify", *STAGING), 4, "nothing serves", "deploy"),
        (("backup", *STAGING), 4, "nothing serves", "deploy"),
        (("build",), 2, "no image of hello has `build:`", "build: {context: .}"),
        (("migrate", *STAGING, *V1), 2, "hello has no `migration:`", "which tool"),
        (("restore", *STAGING, "--backup", "20260130T100000Z", *AGREED), 2, "makes no backups", "compose"),
        (("restore", *STAGING, "--backup", "20260130T100000Z"), 2, "--backup needs a reason", "--reason"),
        (("restore-test", *STAGING), 2, "makes no backups", "compose"),
        (("rollback", *STAGING, *V1, "--schema", "sideways"), 2, "--schema 'sideways'", "keep or down"),
        (("rollback", *STAGING, *V1, "--schema", "down", *AGREED), 2, "no migration here", "reversible"),
        (("database", "provision", *STAGING), 2, "no `provision:`", "server"),
    ],
)
def test_a_wrong_request_ends_in_one_sentence_and_a_next_step(
    folder: Path, words: tuple[str, ...], code: int, cause: str, hint: str
) -> None:
    returned, failure, _ = call(folder, *words)
    assert (returned, cause in failure["cause"]) == (code, True), failure
    assert hint in failure["hint"], failure
    assert "\n" not in failure["cause"]
    assert not list(folder.glob(".deploy-actions/*/book.json")), "nothing was started"


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("version: 1", "version: 2", "deploy.yml:1: version"),
        ("target: process", "targt: process", 'did you mean "target"'),
        ("hello:\n    target", '"../x;id":\n    target', "stacks"),
        ("{environment: staging}", "{environment: stagin}", 'did you mean "staging"'),
        ("stacks:", "\tstacks:", "deploy.yml:"),
    ],
)
def test_a_broken_configuration_names_the_line_and_what_was_meant(
    folder: Path, old: str, new: str, cause: str
) -> None:
    edited(folder, old, new)
    code, failure, _ = call(folder, "deploy", *STAGING, *V1)
    assert code == 2
    assert cause in failure["cause"], failure


def test_a_missing_configuration_says_where_it_was_looked_for(tmp_path: Path) -> None:
    code, failure, _ = call(tmp_path, "deploy", *STAGING, *V1)
    assert code == 2
    assert "deploy.yml cannot be read" in failure["cause"]
    assert "--config" in failure["hint"]


@pytest.mark.parametrize(
    "words", [("deply",), ("deploy", "--versoin", "v1"), ("deploy", "--lock-wait", "soon")]
)
def test_a_slip_on_the_command_line_is_exit_2(folder: Path, words: tuple[str, ...]) -> None:
    code, _, said = call(folder, *words)
    assert code == 2
    assert "Error: " in said
