"""The release list and the dated record, by the command line that CI calls."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.demo_files import write_demo
from ci_lib.ports.sections import append_section
from tests.integration.shop import START, Shop
from tests.lab.images import Hello

SECRET = "correct-horse-battery-staple"
UNKNOWN = "nobody-told-us-to-mask-this"
SOON = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
PAST = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
RELEASE = f"""\
    release:
      record: evidence/release
    environments:
      production:
        release:
          draft: ops/release.md
          links: ['tasks[.]md']
          questions: [Are risky operations authorised?]
          settings:
            - {{name: API_KEY, from: runner, pattern: '^.{{20,}}$', forbidden: [changeme], expires: {SOON}}}
            - {{name: PORT_FILE}}
            - {{name: LICENCE, from: runner, pattern: '^[a-z-]+$'}}
"""
DRAFT = f"""\
# Release
Replaces: nothing
Migration: none, there is no database

## Scope
Prices, as in [the tasks](tasks.md). The key is {SECRET}.
## Risk
Low
## Contacts
team-hello
## Questions
- [x] Are risky operations authorised?
"""


@dataclass
class Project:
    """The demo's project with a release list in production."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def call(self, verb: str, environment: str, *words: str) -> tuple[int, dict[str, Any]]:
        argv = [*START, verb, "--environment", environment, *words, "--json"]
        base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            argv, cwd=self.folder, env={**base, **self.env}, capture_output=True, text=True, timeout=120
        )
        self.said += [done.stdout, done.stderr]
        return done.returncode, json.loads(done.stdout)

    @property
    def record(self) -> str:
        """The one file of today (or of the two days that this test takes)."""
        files = sorted((self.folder / "evidence" / "release").iterdir())
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d\.md", file.name) for file in files)
        return "".join(file.read_text() for file in files)

    def written(self) -> Iterator[Path]:
        """Every file that our runs wrote, but for the builds and the state of the processes."""
        for folder in ("evidence", ".deploy-actions/evidence", "records"):
            yield from (path for path in (self.folder / folder).rglob("*") if path.is_file())


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Project]:
    write_demo(tmp_path)
    (tmp_path / "ops").mkdir()
    with (tmp_path / "deploy.yml").open("a") as file:
        file.write(RELEASE)
    yield Project(folder=tmp_path)
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(tmp_path) in str((entry / "cwd").readlink()):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    return Shop(folder=tmp_path, project=project, hello=hello, small=True)


def titles(record: str) -> list[str]:
    return [re.sub(r"\S+Z ", "", line[3:]) for line in record.splitlines() if line.startswith("## ")]


def test_a_promotion_waits_for_its_list_and_every_run_leaves_its_section(demo: Project) -> None:
    assert demo.call("deploy", "staging", "--version", "v1")[0] == 0
    assert demo.call("deploy", "staging", "--version", "v1")[1]["status"] == "unchanged"
    assert titles(demo.record) == ["deploy hello in staging: deployed"], "nothing was done the second time"

    code, result = demo.call("preflight", "production", "--version", "v1")
    assert (code, result["reason_code"]) == (3, "preflight")
    assert result["failure"]["cause"] == (
        "draft: ops/release.md: there is no such file, wanted a file in the checkout; "
        "setting API_KEY: not set in the job's environment, wanted set, fitting its pattern, "
        "without what is forbidden, good for more than 14d; "
        "setting LICENCE: not set in the job's environment, wanted set, fitting its pattern"
    )
    unfinished = DRAFT.replace("[x]", "[ ]").replace("Low", "TODO").replace(SECRET, "<fill in>")
    (demo.folder / "ops" / "release.md").write_text(unfinished)
    demo.env |= {"API_KEY": "changeme-" + SECRET, "LICENCE": UNKNOWN + "!"}
    code, result = demo.call("promote", "production", "--version", "v1")
    assert (code, result["reason_code"]) == (3, "preflight")
    failed = [row["name"] for row in result["preflight"] if row["mark"] == "failed"]
    assert failed == [
        "draft section Risk",
        "draft link tasks[.]md",
        "question Are risky operations authorised?",
        "setting API_KEY",
        "setting LICENCE",
    ]
    assert all(name in result["failure"]["cause"] for name in failed)
    assert not (demo.folder / ".deploy-actions" / "hello-production" / "book.json").exists()

    (demo.folder / "ops" / "release.md").write_text(DRAFT)
    (demo.folder / "ops" / "tasks.md").write_text("- [x] T1\n")
    demo.env |= {"API_KEY": SECRET, "LICENCE": UNKNOWN}
    code, result = demo.call("promote", "production", "--version", "v1")
    assert (code, result["status"]) == (0, "deployed"), result["failure"]
    warned = [row for row in result["preflight"] if row["mark"] == "warned"]
    assert [row["value"] for row in warned] == ["set, good for 3 d more"]
    assert titles(demo.record)[1:] == [
        "promote hello in production: failed",
        "promote hello in production: deployed",
    ]
    last = demo.record.rpartition("\n## ")[2]
    assert "> Prices, as in &#91;the tasks&#93;(tasks.md)." in last
    assert f"hello:v1@{result['images'][0]['digest']}" in last.replace("builds/", "")
    assert Path(result["evidence_path"]).name in last
    assert result["ledger_head"] in last
    assert "- [x] serves its version: exit 0 (wanted exit 0)" in last
    page = (Path(result["evidence_path"]) / "release.md").read_text()
    assert page == f"## {last}"

    stale, result = demo.call("preflight", "production", "--version", "v1")
    assert (stale, result["failure"]["cause"]) == (
        3,
        "draft: ops/release.md says `Replaces: nothing`, wanted the line `Version: v1`, or `Replaces: v1`",
    )
    told = [*demo.said, *(path.read_text(errors="replace") for path in demo.written())]
    assert [text for text in told if SECRET in text or UNKNOWN in text] == []


def test_failures_rollbacks_and_drills_of_a_day_stand_below_each_other(demo: Project) -> None:
    good = (demo.folder / "builds" / "hello" / "v1" / "app.py").read_text()
    (demo.folder / "builds" / "hello" / "v3").mkdir()
    (demo.folder / "builds" / "hello" / "v3" / "app.py").write_text(good + "# v3\n")
    for verb, words, ends in (
        ("deploy", ("--version", "v1"), 0),
        ("deploy", ("--version", "v2"), 20),
        ("deploy", ("--version", "v3"), 0),
        ("rollback", ("--last-good",), 0),
        ("post-verify", (), 0),
        ("promote", ("--version", "v1"), 2),
    ):
        code, result = demo.call(verb, "staging", *words)
        assert code == ends, result
        assert any("the release record is evidence/release/" in note for note in result["notes"])
    assert titles(demo.record) == [
        "deploy hello in staging: deployed",
        "deploy hello in staging: rolled_back",
        "deploy hello in staging: deployed",
        "rollback hello in staging: deployed",
        "post-verify hello in staging: passed",
        "promote hello in staging: failed",
    ]
    assert demo.record.count("# Releases of ") == 1
    failed = demo.record.split("\n## ")[2]
    assert "**await_serving:** web ended right after its start: v2 forgot to bring its settings" in failed
    assert "`v1` is back, and was proved" in failed


def test_a_record_that_cannot_be_written_is_a_note_and_a_bad_template_stops_before_the_deploy(
    demo: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert demo.call("deploy", "staging", "--version", "v1")[0] == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    config = demo.folder / "deploy.yml"
    text = config.read_text().replace("record: evidence/release", "record: out")
    config.write_text(text)
    (demo.folder / "out").symlink_to(elsewhere)
    code, result = demo.call("post-verify", "staging")
    assert (code, result["status"]) == (0, "passed")
    assert any("could not be written: out leads out of" in note for note in result["notes"])
    assert list(elsewhere.iterdir()) == []

    config.write_text(text.replace("record: out", "record: evidence/release\n      template: ops/record.md"))
    (demo.folder / "ops" / "record.md").write_text("## ${verb}\n${verdikt}\n")
    done = subprocess.run([*START, "check-config"], cwd=demo.folder, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "ops/record.md:2: there is no placeholder ${verdikt}" in done.stdout + done.stderr
    (demo.folder / "builds" / "hello" / "v3").mkdir()
    (demo.folder / "builds" / "hello" / "v3" / "app.py").write_text("x")
    code, result = demo.call("deploy", "staging", "--version", "v3")
    assert (code, result["reason_code"]) == (3, "preflight")
    assert "ops/record.md:2: there is no placeholder ${verdikt}" in result["failure"]["cause"]
    assert demo.call("post-verify", "staging")[0] == 0, "what serves can be looked at all the same"
    assert "the built-in template was used" in demo.record
    (demo.folder / "ops" / "record.md").write_text("## ${verb} was ${status}\n")
    assert demo.call("post-verify", "staging")[0] == 0
    assert demo.record.endswith("\n\n## post-verify was passed\n")


def test_the_hosts_env_is_judged_and_a_record_makes_no_new_release(shop: Shop) -> None:
    """Draft and records lie among the stack's files."""
    shop.stack = {
        "release": {
            "record": "stacks/shop/evidence",
            "draft": "stacks/shop/release.md",
            "settings": [
                {"name": "SECRET_KEY", "pattern": "^.{20,}$", "forbidden": ["changeme"]},
                {"name": "TOKEN", "expires_in": "TOKEN_UNTIL"},
            ],
        },
    }
    shop.write()
    run_dir = shop.run_dir("staging")
    run_dir.mkdir(parents=True)
    source = shop.folder / "stacks" / "shop"
    draft = source / "release.md"
    draft.write_text(DRAFT)
    dotenv = f"export SECRET_KEY='{SECRET}-changeme'\nTOKEN={SECRET}\nTOKEN_UNTIL={PAST}\n"
    (run_dir / ".env").write_text(dotenv)
    shop.release("sha-1")
    called = shop.call("deploy", "staging", "--version", "sha-1")
    assert called.code == 3, called
    failed = [row["value"] for row in called.result["preflight"] if row["mark"] == "failed"]
    assert failed == ["holds a forbidden text", "expired 2 d ago"]

    (run_dir / ".env").write_text(dotenv.replace("-changeme", "").replace(PAST, SOON))
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert first.code == 0, first
    draft.write_text(DRAFT.replace("Low", "Very low"))
    again = shop.call("deploy", "staging", "--version", "sha-1")
    assert again.status == "unchanged", again
    (record,) = (source / "evidence").iterdir()
    assert titles(record.read_text()) == [f"deploy shop in staging: {end}" for end in ("failed", "deployed")]
    assert not (run_dir / "evidence").exists()
    assert not (run_dir / "release.md").exists()
    texts = [called.out, called.err, first.out, first.err, record.read_text()]
    texts += [path.read_text() for path in (shop.folder / "evidence").rglob("*") if path.is_file()]
    texts += [path.read_text() for path in shop.records.rglob("*") if path.is_file()]
    assert [text for text in texts if SECRET in text] == []


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "day.md"
    texts = [f"{number}" * 70_000 + "\n" for number in range(8)]
    threads = [
        threading.Thread(target=append_section, args=(path, text), kwargs={"heading": "# Day\n"})
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, *lines = path.read_text().splitlines(keepends=True)
    assert (first, sorted(lines)) == ("# Day\n", texts)
