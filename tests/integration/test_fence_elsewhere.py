"""The fence on a host that has no lease of its own, by the shell that runs there."""

from pathlib import Path

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import FENCED_OUT, Lease
from ci_lib.ports.local import LocalHost
from ci_lib.stores.state import HostState


class Place:
    """A state folder, seen by one run after the other; the lease and what others remember lie in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self.host = LocalHost("web2")

    def run(self, owner: str, instead_of: Lease | None = None) -> tuple[HostState, Lease]:
        state = HostState(host=self.host, folder=str(self.folder))
        lease = state.acquire(owner, seconds=60, instead_of=instead_of.holder if instead_of else "")
        assert lease is not None
        return state, lease

    def begins(self, state: HostState) -> bool:
        done = self.host.run([*state.fence_elsewhere(), "sh", "-c", "umask"], timeout=10)
        assert done.code in (0, FENCED_OUT), done
        assert done.code or done.stdout == self.host.run(["sh", "-c", "umask"], timeout=10).stdout
        return done.code == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_whoever_lost_the_lock_begins_nothing_once_the_next_one_was_seen(place: Place) -> None:
    first, lease = place.run("run-1")
    assert place.begins(first)
    second, _ = place.run("run-2", instead_of=lease)
    second.obey(second.fence_elsewhere(taken=True))
    assert not place.begins(first)
    assert place.begins(second)


def test_a_lease_that_was_lost_and_made_anew_counts_once_the_lock_is_taken(place: Place) -> None:
    old, _ = place.run("run-1")
    old.obey(old.fence_elsewhere(taken=True))
    for name in ("lease", "epoch"):
        (place.folder / name).unlink()
    new, _ = place.run("run-2")
    assert not place.begins(new)
    new.obey(new.fence_elsewhere(taken=True))
    assert place.begins(new)
    assert not place.begins(old)


def test_a_lease_that_was_put_back_is_named_with_what_to_do(place: Place) -> None:
    old, lease = place.run("run-1")
    newer, _ = place.run("run-2", instead_of=lease)
    newer.obey(newer.fence_elsewhere(taken=True))
    with pytest.raises(StepFault, match="newer lock") as fault:
        old.obey(old.fence_elsewhere(taken=True))
    assert fault.value.reason is Reason.STATE


def test_the_folder_above_stays_readable_for_others(place: Place, tmp_path: Path) -> None:
    first, _ = place.run("run-1")
    elsewhere = HostState(host=place.host, folder=str(tmp_path / "run" / "state"))
    elsewhere.obey(first.fence_elsewhere(taken=True))
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0o055
    assert (tmp_path / "run" / "state").stat().st_mode & 0o077 == 0
