"""A release on three machines over SSH, each with an engine of its own."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Require
from tests.integration.fleet import Fleet, fleet_of
from tests.lab.components import wait_for
from tests.lab.images import Hello
from tests.lab.machines import Machine, machines, missing

HELD = 'test ! -e hold || { touch held; while [ ! -e go ]; do sleep 0.05; done; }; test ! -e broken'
FIT = {"name": "fit", "type": "script", "from": "host", "command": ["sh", "-c", HELD]}
"""A check that fails where the run directory has a file `broken`, and waits for `go` where it has `hold`."""
NAMES = ["web1", "web2", "web3"]


@pytest.fixture(scope="module")
def three(require: Require, engine: None) -> Iterator[tuple[Path, list[Machine]]]:
    require("several machines", missing())
    with machines(3) as made:
        yield made


@pytest.fixture
def fleet(
    tmp_path: Path, project: str, hello: Hello, three: tuple[Path, list[Machine]]
) -> Iterator[Fleet]:
    srv, made = three
    shop = fleet_of(tmp_path, project, hello, srv, made)
    shop.stack = {"checks": [FIT | {"tries": 1, "timeout": "60s"}]}
    shop.write()
    shop.release("sha-1")
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert (first.code, first.status) == (0, "deployed"), first
    shop.release("sha-2")
    yield shop
    for machine in made:
        machine.sshd.start()
        if found := machine.engine.docker("ps", "--all", "--quiet").split():
            machine.engine.docker("rm", "--force", *found)


def mark(fleet: Fleet, number: int, name: str) -> Path:
    """Make a file in the run directory of a machine."""
    path = fleet.run_dir_of(fleet.machines[number]) / name
    path.touch()
    return path


def test_a_release_goes_over_the_hosts_in_batches_and_back_again(fleet: Fleet) -> None:
    assert fleet.versions() == ["sha-1"] * 3
    again = fleet.call("deploy", "staging", "--version", "sha-1")
    assert (again.code, again.status) == (0, "unchanged"), again

    fleet.rollout = {"batch": "50%"}
    fleet.write()
    done = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (done.code, done.status) == (0, "deployed"), done
    assert fleet.versions() == ["sha-2"] * 3
    assert fleet.rows(done.result) == [(name, "deployed", "sha-2") for name in NAMES]
    switches = [step["name"] for step in done.result["steps"] if step["name"].startswith("switch")]
    assert switches == ["switch on web1, web2", "switch on web3"]
    assert [check["name"] for check in done.result["checks"]] == [f"fit on {name}" for name in NAMES]

    status = fleet.call("status", "staging").result
    assert [row["host"] for row in status["instances"]] == NAMES
    assert {row["proof"] for row in status["instances"]} == {"as recorded"}
    planned = fleet.call("plan", "staging", "--version", "sha-1").result
    assert len([step for step in planned["steps"] if step["kind"] == "switch"]) == 2

    back = fleet.call("rollback", "staging", "--last-good")
    assert (back.code, back.result["version"]) == (0, "sha-1"), back
    assert fleet.versions() == ["sha-1"] * 3
    ready = fleet.call("preflight", "production", "--version", "sha-1")
    assert (ready.code, ready.status) == (0, "passed"), ready
    disks = {row["name"] for row in ready.result["checks"] if row["name"].endswith("on web3")}
    assert disks, ready
    verified = fleet.call("post-verify", "staging")
    assert (verified.code, verified.status) == (0, "passed"), verified


def test_each_host_has_an_env_file_of_its_own_and_all_of_them_make_the_release(fleet: Fleet) -> None:
    who = {"environment": {"WHO": "${WHO:-nobody}"}}
    fleet.services = {"nginx": fleet.compose_services()["nginx"] | who}
    fleet.write()
    first = fleet.call("deploy", "staging", "--version", "sha-2")
    assert first.code == 0, first
    mark(fleet, 1, ".env").write_text("WHO=web2\n")
    changed = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (changed.code, changed.status) == (0, "deployed"), changed
    assert fleet.settings_of("nginx", "WHO") == ["nobody", "web2", "nobody"]
    again = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (again.code, again.status) == (0, "unchanged"), again
    back = fleet.call("rollback", "staging", "--version", "sha-1")
    assert (back.code, back.status) == (0, "deployed"), back
    forth = fleet.call("rollback", "staging", "--version", changed.result["release_id"])
    assert (forth.code, forth.result["release_id"]) == (0, changed.result["release_id"]), forth
    assert fleet.settings_of("nginx", "WHO") == ["nobody", "web2", "nobody"]
    assert fleet.versions() == ["sha-2"] * 3


def test_when_the_second_host_fails_all_go_back(fleet: Fleet) -> None:
    mark(fleet, 1, "broken")
    failed = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.status) == (20, "rolled_back"), failed
    assert fleet.versions() == ["sha-1"] * 3
    assert fleet.rows(failed.result) == [
        ("web1", "rolled_back", "sha-1"),
        ("web2", "rolled_back", "sha-1"),
        ("web3", "unchanged", "sha-1"),
    ]
    assert failed.result["failure"]["cause"].startswith("web2: fit on web2")


def test_a_host_that_is_unplugged_on_the_way_back_is_the_only_one_that_is_named(fleet: Fleet) -> None:
    held, broken = mark(fleet, 2, "hold"), mark(fleet, 2, "broken")
    running = fleet.start("deploy", "staging", "--version", "sha-2")
    wait_for((held.parent / "held").exists, "the check on web3", limit=90)
    with fleet.machines[1].sshd.stopped():
        (held.parent / "go").touch()
        out, err = running.communicate(timeout=120)
    result: dict[str, Any] = json.loads(out)
    assert (running.returncode, result["status"], result["reason_code"]) == (
        *(24, "partial", "rollback_failed"),
    ), err
    assert fleet.versions() == ["sha-1", "sha-2", "sha-1"]
    assert fleet.rows(result) == [
        ("web1", "rolled_back", "sha-1"),
        ("web2", "partial", ""),
        ("web3", "rolled_back", "sha-1"),
    ]
    assert result["failure"]["hint"].startswith("look at web2, whose release is not known")
    record = json.loads((fleet.records / "stacks/shop/ledger.jsonl").read_text().splitlines()[-1])
    assert "by_host" in record["body"] or record["body"]["type"] == "verified"

    for path in (held, broken, held.parent / "go", held.parent / "held"):
        path.unlink()
    healed = fleet.call("deploy", "staging", "--version", "sha-1")
    assert (healed.code, healed.status) == (0, "deployed"), healed
    assert fleet.rows(healed.result) == [
        ("web1", "unchanged", "sha-1"),
        ("web2", "deployed", "sha-1"),
        ("web3", "unchanged", "sha-1"),
    ]
    assert fleet.versions() == ["sha-1"] * 3


def test_a_run_killed_in_the_middle_is_cleared_up_on_all_hosts(fleet: Fleet) -> None:
    held = mark(fleet, 1, "hold")
    running = fleet.start("deploy", "staging", "--version", "sha-2")
    wait_for((held.parent / "held").exists, "the check on web2", limit=90)
    fleet.kill(running)
    (held.parent / "go").touch()
    assert fleet.versions() == ["sha-2", "sha-2", "sha-1"]
    held.unlink()

    cleared = fleet.call("finalize", "staging")
    assert (cleared.code, cleared.result["reason_code"]) == (20, "recovered"), cleared
    assert fleet.versions() == ["sha-1"] * 3
    assert fleet.rows(cleared.result)[:2] == [(name, "rolled_back", "sha-1") for name in NAMES[:2]]
    done = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (done.code, done.status) == (0, "deployed"), done
    assert fleet.versions() == ["sha-2"] * 3


def test_a_cancelled_run_ends_in_time_though_hosts_are_at_work_side_by_side(fleet: Fleet) -> None:
    fleet.rollout = {"batch": "100%"}
    fleet.write()
    held = mark(fleet, 1, "hold")
    running = fleet.start("deploy", "staging", "--version", "sha-2")
    wait_for((held.parent / "held").exists, "the check on web2", limit=90)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=10)
    (held.parent / "go").touch()
    assert running.returncode == 130, out + err
    assert fleet.rows(json.loads(out)) == [(name, "unknown", "") for name in NAMES]
    held.unlink()
    cleared = fleet.call("finalize", "staging")
    assert (cleared.code, cleared.result["reason_code"]) == (20, "recovered"), cleared
    assert fleet.versions() == ["sha-1"] * 3


def test_without_the_first_host_nothing_begins(fleet: Fleet) -> None:
    with fleet.machines[0].sshd.stopped():
        looked = fleet.call("status", "staging")
        assert looked.code == 3, looked
        assert [row["host"] for row in looked.result["instances"]] == NAMES[1:]
        assert [note for note in looked.result["notes"] if note.startswith("web1: ")]
        stopped = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (stopped.code, stopped.result["reason_code"]) == (3, "unreachable"), stopped
    assert fleet.versions() == ["sha-1"] * 3


def test_with_batch_the_hosts_that_passed_stay_and_the_next_run_brings_the_others_there(fleet: Fleet) -> None:
    fleet.rollout = {"on_host_failure": "batch"}
    fleet.write()
    broken = mark(fleet, 1, "broken")
    failed = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (failed.code, failed.result["reason_code"]) == (24, "mixed"), failed
    assert fleet.versions() == ["sha-2", "sha-1", "sha-1"]
    broken.unlink()
    done = fleet.call("deploy", "staging", "--version", "sha-2")
    assert (done.code, done.status) == (0, "deployed"), done
    assert fleet.rows(done.result)[0] == ("web1", "unchanged", "sha-2")
    assert fleet.versions() == ["sha-2"] * 3
