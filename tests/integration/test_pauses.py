"""On a real engine a run is paused by SIGSTOP, and goes on when another one has taken over and deployed.

The paused run brings sha-2, the other one sha-3.
"""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.pauses import (
    Launch,
    content,
    each_intent_has_one_end,
    expire,
    is_paused,
    lease,
    woken,
)
from tests.integration.pauses import launch as launch
from tests.integration.shop import Shop
from tests.lab.components import run as lab_run
from tests.lab.components import wait_for
from tests.lab.images import Hello


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True)
    shop.stack = {"backup": {"enabled": True, "path": str(tmp_path / "srv" / "backups"), "keep": 2}}
    shop.write()
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    shop.release("sha-2")
    shop.release("sha-3")
    return shop


def state(shop: Shop) -> Path:
    return shop.run_dir("staging") / ".deploy-actions"


def begin(launch: Launch, shop: Shop, how: str, word: str) -> subprocess.Popen[str]:
    words = ("deploy", "--environment", "staging", "--json", "--version", "sha-2")
    config = ("--config", str(shop.folder / "deploy.yml"))
    return launch(shop.folder, how, word, *words, *config, env=shop.environ())


def everything(shop: Shop) -> tuple[object, ...]:
    """Files, containers and tags: all that a run could change."""
    images = lab_run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    ours = sorted(line for line in images.splitlines() if shop.project in line)
    containers = [item["Id"] for item in shop.containers("staging", "nginx")]
    return content(shop.folder / "srv"), containers, ours


def taken_over(shop: Shop) -> tuple[object, ...]:
    expire(state(shop))
    other = shop.call("deploy", "staging", "--version", "sha-3")
    assert (other.code, other.status) == (0, "deployed"), other
    return everything(shop)


def true_records(shop: Shop) -> None:
    ledger = shop.records / "stacks" / "shop" / "ledger.jsonl"
    bodies = [json.loads(line)["body"] for line in ledger.read_text().splitlines()]
    each_intent_has_one_end(bodies)
    served = [body["version"] for body in bodies if body.get("status") == "deployed"]
    assert served[-1] == "sha-3"
    assert shop.call("post-verify", "staging", "--version", "sha-3").code == 0


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("prepare", ".deploy-actions/next"),
        ("pull", "docker tag"),
        ("backup", ".partial"),
        ("backup, finishing", "manifest.json"),
        ("switch", "before.tmp"),
        ("switch, up", "--no-build"),
        ("retain", "plan-*"),
    ],
)
def test_a_run_that_was_paused_before_a_command_changes_nothing(
    launch: Launch, shop: Shop, step: str, word: str
) -> None:
    paused = begin(launch, shop, "before", word)
    wait_for(lambda: is_paused(paused), f"the pause before {step}", limit=60)
    before = taken_over(shop)
    woken(paused)
    assert everything(shop) == before
    true_records(shop)


@pytest.mark.parametrize(("step", "word"), [("pull", "docker tag"), ("switch", "before.tmp")])
def test_a_command_that_was_at_work_is_waited_for_and_the_next_one_does_not_begin(
    launch: Launch, shop: Shop, step: str, word: str
) -> None:
    paused = begin(launch, shop, "amid", word)
    wait_for((shop.folder / "at-work").exists, f"{step} to be at work", limit=60)
    paused.send_signal(signal.SIGSTOP)
    fence = lease(state(shop))[3]
    expire(state(shop))
    other = shop.start("deploy", "staging", "--version", "sha-3")
    wait_for(lambda: lease(state(shop))[3] != fence, "the other run's lock", limit=60)
    (shop.folder / "go-on").touch()
    out, err = other.communicate(timeout=120)
    assert other.returncode == 0, out + err
    before = everything(shop)
    woken(paused)
    assert everything(shop) == before
    true_records(shop)
