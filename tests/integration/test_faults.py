"""What goes wrong in real life, on a real engine: each ends in a named outcome and a known state."""

import json
import signal
from pathlib import Path

import pytest

from tests.integration.shop import Shop
from tests.integration.test_ssh import remote_shop
from tests.lab.components import Sshd, wait_for
from tests.lab.images import Hello

SLEEP = ["sh", "-c", "touch checking; exec sleep 8"]
PATIENCE = {"name": "patience", "type": "script", "command": SLEEP, "timeout": "20s", "tries": 1}


@pytest.fixture
def shop(tmp_path: Path, project: str, hello: Hello) -> Shop:
    shop = Shop(folder=tmp_path, project=project, hello=hello)
    shop.release("sha-1")
    assert shop.call("deploy", "staging", "--version", "sha-1").code == 0
    shop.release("sha-2")
    return shop


def as_run(shop: Shop, number: int) -> None:
    """From now on, be that run of a CI, whose end nobody here can know."""
    shop.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": str(number),
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "deploy",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_OUTPUT": "",
        "GITHUB_STEP_SUMMARY": "",
    }


def journal(shop: Shop) -> list[dict[str, object]]:
    path = shop.run_dir("staging") / ".deploy-actions" / "journal.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def started(shop: Shop, kind: str) -> bool:
    """Whether the running plan's first step of a kind has begun.

    The journal knows what has to be undone, and what took a longer lease; the checks tell it themselves.
    """
    if kind == "check":
        return (shop.folder / "checking").exists()
    entries = journal(shop)
    if not entries or entries[-1]["event"] == "end":
        return False
    kinds = [step["kind"] for step in entries[0]["plan"]]  # type: ignore[index,attr-defined]
    return any(entry["event"] == "start" and kinds[entry["step"]] == kind for entry in entries)  # type: ignore[index]


def slow_checks(shop: Shop) -> None:
    shop.stack = {"checks": [PATIENCE]}
    shop.write()


def quick_checks(shop: Shop) -> None:
    shop.stack = {}
    shop.write()


def running(shop: Shop) -> set[str]:
    """Every service with exactly one container, or the test fails."""
    for service in ("backend", "worker", "nginx"):
        assert len(shop.containers("staging", service)) == 1, service
    return {shop.version("staging", name) for name in ("backend", "worker")}


@pytest.mark.parametrize("kind", ["pull", "switch", "check"])
def test_a_run_killed_at_a_step_is_cleared_up_by_the_next_one(shop: Shop, kind: str) -> None:
    slow_checks(shop)
    process = shop.start("deploy", "staging", "--version", "sha-2")
    wait_for(lambda: started(shop, kind), f"{kind} to begin", limit=60)
    shop.kill(process)
    assert shop.call("status", "staging").code == 0
    quick_checks(shop)

    cleared = shop.call("finalize", "staging")
    expected = (0, "passed") if kind == "pull" else (20, "rolled_back")
    assert (cleared.code, cleared.status) == expected, cleared
    assert running(shop) == {"sha-1"}
    again = shop.call("deploy", "staging", "--version", "sha-2")
    assert again.code == 0, again
    assert running(shop) == {"sha-2"}
    bodies = [json.loads(line)["body"] for line in ledger(shop).read_text().splitlines()]
    intents = [body for body in bodies if body["phase"] == "intent"]
    assert len(intents) == len([body for body in bodies if body.get("ref")]), "every intent has its outcome"


def test_the_second_of_two_runs_waits_or_ends_with_13(shop: Shop) -> None:
    slow_checks(shop)
    first = shop.start("deploy", "staging", "--version", "sha-2")
    wait_for(lambda: started(shop, "check"), "the first run's checks", limit=60)
    second = shop.call("deploy", "staging", "--version", "sha-1")
    assert (second.code, second.result["reason_code"]) == (13, "locked"), second
    waiting = shop.call("deploy", "staging", "--version", "sha-2", "--lock-wait", "60")
    assert (waiting.code, waiting.status) == (0, "unchanged"), waiting
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, out + err


def test_a_cancelled_run_ends_in_time_and_keeps_the_lock_until_finalize(shop: Shop) -> None:
    as_run(shop, 1)
    slow_checks(shop)
    process = shop.start("deploy", "staging", "--version", "sha-2")
    wait_for(lambda: started(shop, "check"), "the checks", limit=60)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=5)
    assert process.returncode == 130, out + err
    assert json.loads(out)["status"] == "unknown"

    as_run(shop, 2)
    quick_checks(shop)
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 13
    assert shop.call("finalize", "staging").status == "passed", "somebody else's lock is left alone"
    as_run(shop, 1)
    cleared = shop.call("finalize", "staging")
    assert (cleared.code, cleared.status) == (20, "rolled_back"), cleared
    assert running(shop) == {"sha-1"}
    assert shop.call("finalize", "staging").code == 0


def test_an_edited_ledger_stops_everything_but_the_way_back(shop: Shop) -> None:
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    path = ledger(shop)
    whole = path.read_text()
    path.write_text(whole.replace('"actor":"', '"actor":"not-', 1))
    for verb in ("deploy", "promote"):
        place = "staging" if verb == "deploy" else "production"
        stopped = shop.call(verb, place, "--version", "sha-1")
        assert (stopped.code, stopped.result["reason_code"]) == (11, "cannot_decide"), stopped
    back = shop.call("rollback", "staging", "--last-good")
    assert back.code == 0, back
    assert running(shop) == {"sha-1"}

    path.write_text(whole)
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    late = [json.loads(line)["body"] for line in path.read_text().splitlines() if '"late":true' in line]
    assert [(body["type"], body["status"]) for body in late] == [("rollback", "deployed")]


def test_a_torn_last_line_is_set_aside(shop: Shop) -> None:
    with ledger(shop).open("a") as file:
        file.write('{"seq":99,"prev":"')
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    (torn,) = ledger(shop).parent.glob("ledger.torn-*")
    assert torn.read_text() == '{"seq":99,"prev":"'
    assert shop.call("history", "").code == 0


def test_skipped_checks_are_recorded_and_never_count_as_verified(shop: Shop) -> None:
    (shop.records / "verified" / "shop.txt").unlink()
    gates = ("--skip-checks", "--reason", "the mail server is down", "--approver", "somebody-else")
    done = shop.call("deploy", "staging", "--version", "sha-2", *gates)
    assert (done.code, done.status) == (0, "deployed"), done
    assert "checks skipped" in " ".join(done.result["overrides"])
    assert not (shop.records / "verified" / "shop.txt").exists()
    refused = shop.call("promote", "production", "--version", "sha-2")
    assert refused.code == 10, refused
    assert "checks skipped: the mail server is down" in shop.history()[1]


def test_post_verify_writes_the_verdict_and_goes_back_when_asked(shop: Shop) -> None:
    verify = {"name": "flag", "type": "script", "command": ["test", "-e", "flag"], "tries": 1}
    shop.stack = {"verify": [verify]}
    shop.write()
    assert shop.call("deploy", "staging", "--version", "sha-2").code == 0
    early = shop.call("promote", "production", "--version", "sha-2")
    assert early.code == 10, "only post-verify verifies now"

    failed = shop.call("post-verify", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["reason_code"]) == (4, "checks"), failed
    assert running(shop) == {"sha-2"}
    (shop.folder / "flag").touch()
    assert shop.call("post-verify", "staging").code == 0
    assert shop.call("promote", "production", "--version", "sha-2").code == 0
    other = shop.call("post-verify", "staging", "--version", "sha-1")
    assert (other.code, other.result["reason_code"]) == (4, "changed"), other

    (shop.folder / "flag").unlink()
    back = shop.call("post-verify", "staging", "--rollback-on-failure")
    assert (back.code, back.status) == (20, "rolled_back"), back
    assert running(shop) == {"sha-1"}
    refused = shop.call("rollback", "staging", "--version", "sha-2")
    assert (refused.code, refused.result["reason_code"]) == (12, "policy"), refused


def test_a_cut_ssh_connection_ends_in_a_known_state(
    tmp_path: Path, project: str, hello: Hello, sshd: Sshd
) -> None:
    remote = remote_shop(tmp_path, project, hello, sshd)
    remote.release("sha-1")
    assert remote.call("deploy", "staging", "--version", "sha-1").code == 0
    remote.release("sha-2")
    process = remote.start("deploy", "staging", "--version", "sha-2")
    pin = remote.run_dir("staging") / "compose.override.yaml"
    wait_for(lambda: "sha-2" in pin.read_text(), "the switch", limit=90)
    assert sshd.cut() > 0
    out, err = process.communicate(timeout=120)
    assert process.returncode in (20, 24), out + err
    if process.returncode == 24:
        assert remote.call("finalize", "staging").code in (0, 20)
    assert running(remote) == {"sha-1"}
    assert remote.call("deploy", "staging", "--version", "sha-2").code == 0


def ledger(shop: Shop) -> Path:
    return shop.records / "stacks" / "shop" / "ledger.jsonl"


