from ci_lib.domain.forge import RunState
from ci_lib.domain.state import Lease
from ci_lib.report.lock import LockRow, lock

HELD = Lease(owner="github:acme/shop/7/1/cd", holder="ab", since=1769767200, until=1769767560, fence=7)


def row(held: Lease | None, run: RunState | None, *, interrupted: bool = True) -> LockRow:
    return LockRow(
        stack="shop",
        environment="production",
        held=held,
        run=run,
        journal="deploy of v2: at switch, or behind it" if held else "",
        interrupted=interrupted,
    )


def test_a_held_lock_tells_who_since_when_and_whether_that_run_lives() -> None:
    assert lock(row(HELD, RunState.UNKNOWN)) == (
        "the lock of shop production is held\n"
        "owner:   github:acme/shop/7/1/cd\n"
        "since:   2026-01-30T10:00:00Z (the target's clock)\n"
        "until:   2026-01-30T10:06:00Z, if it does not begin another step\n"
        "fence:   7\n"
        "run:     cannot be told from here: look at that run\n"
        "journal: deploy of v2: at switch, or behind it\n"
    )
    assert row(HELD, RunState.ALIVE).as_json() == {
        "state": "held",
        "owner": "github:acme/shop/7/1/cd",
        "since": "2026-01-30T10:00:00Z",
        "until": "2026-01-30T10:06:00Z",
        "fence": 7,
        "run": "alive",
        "journal": "deploy of v2: at switch, or behind it",
    }


def test_a_free_lock_tells_whether_anything_is_to_be_cleared_up() -> None:
    said, left = lock(row(None, None)).splitlines()
    assert lock(row(None, None, interrupted=False)) == f"{said}\n"
    assert said == "the lock of shop production is free"
    assert left == "the last run was interrupted: finalize or the next run clears up"
    assert row(None, None).as_json() == {"state": "free", "interrupted": True}


def test_an_owner_cannot_write_lines_of_its_own() -> None:
    hostile = Lease(owner="x\x1b[2J\u202e", holder="", since=0, until=1, fence=1)
    text = lock(row(hostile, RunState.ENDED))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "since:   not known" in text
