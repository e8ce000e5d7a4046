"""Launchers whose tool is missing, and tools that ran and failed, by what they really print."""

from pathlib import Path

import pytest

from ci_lib.readers.launchers import Listener

RECORDED = Path(__file__).parent / "recorded" / "launchers"
NO_SCRIPT = "ERR_PNPM_NO_SCRIPT Missing script: typecheck"
ESLINT, VITEST = "sh: 1: eslint: not found", "sh: 1: vitest: not found"


def reason(file: str, command: str, code: int, *texts: str) -> str:
    listener = Listener(command.split(), texts)
    for line in (RECORDED / file).read_text("utf-8").splitlines():
        listener.hear(line)
    return listener.reason(code)


@pytest.mark.parametrize(
    ("file", "command", "code", "why"),
    [
        ("python-module.txt", "python -m mypy .", 1, "/usr/local/bin/python: No module named mypy"),
        ("uv.txt", "uv run --locked ruff check .", 2, "error: Failed to spawn: ruff"),
        ("uv-old.txt", "uv run ruff check .", 2, "error: Failed to spawn: `ruff`"),
        ("pnpm-script.txt", "pnpm run typecheck", 1, NO_SCRIPT),
        ("pnpm-script-coloured.txt", "pnpm run typecheck", 1, NO_SCRIPT),
        ("pnpm-dependencies.txt", "pnpm run lint", 1, ESLINT),
        ("pnpm-test-dependencies.txt", "pnpm run test", 1, VITEST),
        (
            "pnpm-exec.txt",
            "pnpm exec eslint .",
            254,
            'ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL Command "eslint" not found',
        ),
        ("npm-script.txt", "npm run typecheck", 1, 'npm error Missing script: "typecheck"'),
        ("npm-old-script.txt", "npm run typecheck", 1, 'npm ERR! Missing script: "typecheck"'),
        ("npm-dependencies.txt", "npm run lint", 127, ESLINT),
    ],
)
def test_a_launcher_whose_tool_is_missing_is_heard(file: str, command: str, code: int, why: str) -> None:
    assert reason(file, command, code) == why


@pytest.mark.parametrize(
    ("file", "command", "code"),
    [
        ("pnpm-failed.txt", "pnpm run test", 3),
        ("npm-failed.txt", "npm run test", 3),
        ("turbo-types.txt", "pnpm exec turbo run typecheck", 2),
        ("turbo-cannot.txt", "pnpm exec turbo run typecheck", 1),  # nobody could know
    ],
)
def test_a_tool_that_ran_and_failed_did_run(file: str, command: str, code: int) -> None:
    assert reason(file, command, code) == ""


@pytest.mark.parametrize(
    ("file", "code", "why"),
    [
        ("turbo-keychain.txt", 1, "× Failed to create APIClient: Unable to set up TLS."),
        ("turbo-cannot.txt", 1, "x Could not resolve workspace."),
        ("turbo-types.txt", 2, ""),
    ],
)
def test_a_job_says_itself_what_means_that_its_command_cannot_run(file: str, code: int, why: str) -> None:
    signs = ("Unable to set up TLS", "Could not resolve workspace")
    assert reason(file, "pnpm exec turbo run typecheck", code, *signs) == why


def test_what_a_test_prints_of_something_else_is_no_reason() -> None:
    listener = Listener(("python", "-m", "pytest"))
    for line in ("ModuleNotFoundError: No module named 'mypy'", "python: No module named mypy", ESLINT):
        listener.hear(line)
    assert listener.reason(1) == ""


def test_a_command_that_succeeds_could_run_whatever_it_printed() -> None:
    assert reason("python-module.txt", "python -m mypy .", 0) == ""


@pytest.mark.parametrize("code", [126, 127])
def test_a_program_that_is_not_there_needs_no_words(code: int) -> None:
    assert Listener(("scan", "all")).reason(code) == "scan cannot be started"
