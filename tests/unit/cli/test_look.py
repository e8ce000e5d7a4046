"""Commands that only look: what they list, and what happens when nobody reads it."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli import look, verb
from ci_lib.cli.console import open_session
from ci_lib.cli.main import main
from tests.unit.records.test_ledger import Book

CONFIG = """\
version: 1
records: {path: records}
hosts: {here: {local: true}}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
  production: {tier: production, owner: team, hosts: [here], requires: {environment: staging}}
stacks:
  shop: {target: compose, images: {api: {repository: ghcr.io/acme/api, services: [api]}}}
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CI around us, and signals stay as they are."""
    for name in ("GITHUB_ACTIONS", "RUNNER_TEMP"):
        monkeypatch.delenv(name, raising=False)
    for module in (look, verb):
        monkeypatch.setattr(module, "cancel_on_signals", lambda: None)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy.yml").write_text(CONFIG)
    return tmp_path


def listed(folder: Path, book: Book, capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    """The cells of the lines that a command prints about the ledger in ``book``."""
    ledger = folder / "records" / "stacks" / "shop" / "ledger.jsonl"
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_bytes(book.chain().data)
    assert ended(*words, "--config", str(folder / "deploy.yml")) == 0
    _, *lines = capsys.readouterr().out.strip().splitlines()
    return [re.split(r"  +", line) for line in lines]


def ended(*words: str) -> Any:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code


class TestLists:
    def test_the_newest_comes_first_and_no_more_than_asked_for(
        self, folder: Path, book: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for tag in ("v1", "v2", "v3"):
            book.intent(tag)
            book.ended(tag)
        found = listed(folder, book, capsys, "history", "--limit", "2")
        assert [line[3] for line in found] == ["v3", "v2"]

    def test_the_history_of_one_environment_shows_no_other(
        self, folder: Path, book: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        book.ended("v1")
        book.ended("v1", environment="production")
        book.ended("v2")
        found = listed(folder, book, capsys, "history", "--environment", "production")
        assert [line[1] for line in found] == ["production"]

    def test_what_is_verified_is_told_in_the_order_of_the_ledger_whatever_the_environment(
        self, folder: Path, book: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        book.verified("v1")
        book.verified("v1", environment="production")
        book.verified("v2", passed=False)
        book.verified("v3")
        found = [
            listed(folder, book, capsys, "verified", "show", *words)
            for words in ((), ("--limit", "2"), ("--environment", "staging"))
        ]
        assert [[(line[1], line[3]) for line in lines] for lines in found] == [
            [("staging", "v3"), ("production", "v1"), ("staging", "v1")],
            [("staging", "v3"), ("production", "v1")],
            [("staging", "v3"), ("staging", "v1")],
        ]


class TestNames:
    @pytest.mark.parametrize("command", ["history", "verified show", "check-config"])
    @pytest.mark.parametrize(
        ("words", "meant"),
        [(("--environment", "stagin"), '"staging"'), (("--stack", "shpo"), "'shop'")],
    )
    def test_an_unknown_name_is_refused_with_the_one_that_was_meant(
        self,
        command: str,
        words: tuple[str, ...],
        meant: str,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert ended(*command.split(), *words, "--config", str(folder / "deploy.yml")) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"did you mean {meant}?" in printed.err

    def test_a_configuration_is_checked_for_the_one_stack_that_was_named(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = folder / "deploy.yml"
        config.write_text(
            f"{CONFIG}  blog: {{target: compose, images: {{web: {{repository: r/web, services: [web]}}}}}}\n"
        )
        assert ended("check-config", "--stack", "blog", "--config", str(config)) == 0
        assert "is valid: blog in staging, production" in capsys.readouterr().out


@contextmanager
def unread() -> Iterator[None]:
    """Standard output is a pipe whose reader has left, as with ``| head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    with redirect_stdout(stream):
        yield
    with suppress(BrokenPipeError):
        stream.close()


class TestReaderLeaves:
    @pytest.mark.parametrize("words", [("history",), ("history", "--json"), ("check-config",)])
    def test_a_list_ends_quietly_as_any_program_does(
        self, words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with unread():
            assert ended(*words, "--config", str(folder / "deploy.yml")) == 141
        assert capsys.readouterr().err == ""

    def test_so_does_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        with unread():
            assert ended("--help") == 141
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("words", [(), ("--json",)])
    def test_a_verb_goes_on_and_ends_as_it_would_have(
        self, words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evidence: list[str] = []
        monkeypatch.setattr(verb, "write", lambda _host, where, _files: evidence.append(where))
        with unread():
            config = str(folder / "nothing.yml")
            assert ended("deploy", "--environment", "staging", "--config", config, *words) == 2
            sys.stdout.flush()  # as Python does at its end
        assert len(evidence) == 1

    def test_whatever_a_verb_still_says_goes_nowhere(self) -> None:
        with unread():
            reporter = open_session(lasting=True).reporter
            for _ in range(3):
                reporter.text("x" * 10_000)
                reporter.note("and on")


class TestRevocation:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--version", "v1"), "a revocation needs a reason"),
            (("--version", "v9", "--reason", "a hole in its TLS library"), "was never verified in staging"),
            (("--reason", "a hole in its TLS library"), "nothing to deploy was named"),
        ],
    )
    def test_what_cannot_be_revoked_says_why(
        self,
        folder: Path,
        book: Book,
        capsys: pytest.CaptureFixture[str],
        words: tuple[str, ...],
        said: str,
    ) -> None:
        book.verified("v1")
        listed(folder, book, capsys, "verified", "show")
        where = ("--environment", "staging", "--config", str(folder / "deploy.yml"))
        assert ended("verified", "revoke", *words, *where) == 2
        assert said in capsys.readouterr().err


class TestKeys:
    def test_a_new_key_is_for_its_owner_alone_and_never_written_over_another(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = tmp_path / "staging.key"
        bound = ("--environment", "staging", "--verifier", "https://ci.example")
        asked = ("keys", "new", "--out", str(name), *bound)
        assert ended(*asked) == 0
        said = capsys.readouterr().out
        assert name.stat().st_mode & 0o777 == 0o600
        assert "PRIVATE" not in said
        assert "verifier: https://ci.example" in said
        assert "BEGIN PUBLIC KEY" in said
        before = name.read_text()
        assert ended(*asked) == 2
        assert name.read_text() == before

    def test_the_keys_of_the_policy_are_shown_with_what_they_may_speak_for(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where = ("keys", "show", "--config", str(folder / "deploy.yml"))
        assert ended(*where) == 0
        assert "names no key" in capsys.readouterr().out
        new = ("keys", "new", "--out", str(folder / "k"))
        assert ended(*new, "--environment", "staging", "--verifier", "x:y") == 0
        _, _, keys = capsys.readouterr().out.partition("deploy.yml:\n\n")
        monkeypatch.setenv("DEPLOY_ACTIONS_POLICY", f"version: 1\nkeys:\n{keys}    revoked: true\n")
        assert ended(*where) == 0
        assert re.search(r"SHA256:\S{43} +x:y +staging +all .*revoked", capsys.readouterr().out)
