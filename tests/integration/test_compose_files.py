"""The scripts that switch a release's files in and bring the old ones back, on real files."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.ports.local import LocalHost
from ci_lib.ports.system import SystemClock
from ci_lib.targets.compose import files
from ci_lib.targets.compose.kept import on_host
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.site import Site
from tests.contract.fake_target import image, settings

OLD = Release(images=(image("api", "v1"),), files="old")
NEW = Release(images=(image("api", "v2"),), files="new")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "run").mkdir(mode=0o755)
    resolved = settings("staging")
    compose = resolved.settings.compose.model_copy(update={"run_dir": str(tmp_path / "run")})
    resolved = dataclasses.replace(
        resolved, settings=resolved.settings.model_copy(update={"compose": compose})
    )
    return Site(settings=resolved, host=LocalHost("here"), clock=SystemClock())


def stage(site: Site, release: Release, **texts: str) -> None:
    """Put files into `next`, as the step before the switch does; `_` in a name is a slash."""
    state = Path(site.state)
    state.mkdir(mode=0o700, exist_ok=True)
    names = [name.replace("_", "/") for name in texts]
    for name, text in zip(names, texts.values(), strict=True):
        path = state / "next" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (state / "next" / "pin").write_text("pin")
    (state / "next.paths").write_text("".join(f"{name}\n" for name in names))
    (state / "next.for").write_text(f"{release.id}\n")


def switch(site: Site, release: Release, previous: str = "", *, leaving: bool = False) -> None:
    layout = "compose\npin\n"
    files.switch(
        site,
        release,
        pin="pin",
        layout=layout,
        previous=previous,
        adopted=None,
        leaving=leaving,
        settings={"backend.command": release.id},
    )


def left(site: Site) -> list[Release]:
    """The releases that a person rolled back from."""
    return [kept.release for kept in Memory(site).read().kept if kept.left]


def test_the_way_back_leaves_folders_as_readable_as_they_were(site: Site) -> None:
    run = Path(site.run_dir)
    stage(site, OLD, conf_app="old", compose="old")
    switch(site, OLD)
    stage(site, NEW, conf_app="new", compose="new", more="new")
    switch(site, NEW, OLD.id)
    assert (run / "conf" / "app").read_text() == "new"
    files.restore(site, failed=NEW.id, previous=OLD.id)
    assert (run / "conf" / "app").read_text() == (run / "compose").read_text() == "old"
    assert not (run / "more").exists()
    assert [path.stat().st_mode & 0o777 for path in (run, run / "conf")] == [0o755, 0o755]
    assert (run / ".deploy-actions" / "before").stat().st_mode & 0o077 == 0


def test_who_rolls_back_leaves_a_release_until_it_is_switched_to_again(site: Site) -> None:
    stage(site, OLD, compose="old")
    switch(site, OLD)
    stage(site, NEW, compose="new")
    switch(site, NEW, OLD.id)
    assert left(site) == []
    stage(site, OLD, compose="old")
    switch(site, OLD, NEW.id, leaving=True)
    assert left(site) == [NEW]
    stage(site, NEW, compose="new")
    switch(site, NEW, OLD.id)
    assert left(site) == []


def test_a_release_that_is_brought_back_was_not_left(site: Site) -> None:
    stage(site, OLD, compose="old")
    switch(site, OLD)
    stage(site, NEW, compose="new")
    switch(site, NEW, OLD.id, leaving=True)
    assert left(site) == [OLD]
    files.restore(site, failed=NEW.id, previous=OLD.id)
    assert left(site) == []


def test_who_rolls_back_to_what_serves_has_left_nothing(site: Site) -> None:
    for _ in range(2):
        stage(site, OLD, compose="old")
        switch(site, OLD, OLD.id, leaving=True)
    assert left(site) == []


def test_what_another_run_has_staged_is_not_switched_to(site: Site) -> None:
    stage(site, OLD, compose="theirs")
    with pytest.raises(StepFault, match="belongs to another run"):
        switch(site, NEW)
    assert not (Path(site.run_dir) / "compose").exists()


@pytest.mark.parametrize(("link", "to"), [("conf", "outside"), ("conf/app", "outside/app"), ("conf", "gone")])
def test_a_link_in_the_run_directory_leads_nobody_astray(
    site: Site, tmp_path: Path, link: str, to: str
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "app").write_text("theirs")
    path = Path(site.run_dir) / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / to)
    stage(site, NEW, conf_app="new", compose="new")
    with pytest.raises(StepFault, match="could not put the files"):
        switch(site, NEW)
    assert (tmp_path / "outside" / "app").read_text() == "theirs"
    assert not (Path(site.run_dir) / "compose").exists(), "nothing was changed"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_is_kept_and_what_lies_there_are_told_apart(site: Site) -> None:
    run = Path(site.run_dir)
    stage(site, OLD, conf_app="old", compose="old")
    (Path(site.state) / "next" / "conf" / "app").chmod(0o755)
    (Path(site.state) / "next" / "conf" / "a b\\c").write_text("odd")
    with (Path(site.state) / "next.paths").open("a") as paths:
        paths.write("conf/a b\\c\n")
    switch(site, OLD)
    (run / "compose").write_text("edited")
    (run / "conf" / "app").unlink()
    (run / "conf" / "app").symlink_to("/dev/zero")
    (run / "new").write_text("new")
    found = on_host(site, ["new", "missing"])
    assert found.kept == {
        "compose": digest("old"),
        "conf/app": digest("old"),
        "conf/a b\\c": digest("odd"),
        "pin": digest("pin"),
    }
    assert found.executable == {"conf/app"}
    assert found.there == {
        "compose": digest("edited"),
        "conf/a b\\c": digest("odd"),
        "new": digest("new"),
        "pin": digest("pin"),
    }
    assert found.settings == {"backend.command": OLD.id}


def test_where_nothing_was_ever_deployed_only_what_lies_there_is_told(site: Site) -> None:
    (Path(site.run_dir) / "compose").write_text("theirs")
    found = on_host(site, ["compose"])
    assert (found.settings, found.kept, found.there) == (None, {}, {"compose": digest("theirs")})
    Path(site.run_dir, "compose").unlink()
    Path(site.run_dir).rmdir()
    assert on_host(site, ["compose"]).there == {}
