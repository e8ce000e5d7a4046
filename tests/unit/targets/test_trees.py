from pathlib import Path

import pytest

from ci_lib.domain.errors import ConfigFault
from ci_lib.targets.trees import read_tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose deploy.yml writes records and evidence into it."""
    folder = tmp_path / "project"
    names = ("compose.yml", "conf/app.ini", "records/ledger.jsonl", "out/evidence/result.json", "out/kept")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_everything_is_read_but_history_state_and_settings_of_the_host(project: Path) -> None:
    for name in (".git/HEAD", ".deploy-actions/lease", "conf/.env", "conf/__pycache__/x.pyc"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    (project / "conf" / "app.ini").chmod(0o755)
    tree = read_tree(project)
    assert set(tree) == {
        "compose.yml",
        "conf/app.ini",
        "out/evidence/result.json",
        "out/kept",
        "records/ledger.jsonl",
    }
    assert (tree["conf/app.ini"].data, tree["conf/app.ini"].mode) == (b"conf/app.ini", 0o755)


def test_folders_can_be_left_out_and_what_lies_beside_them_stays(project: Path) -> None:
    tree = read_tree(project, without=[project / "records", project / "out" / "evidence"])
    assert set(tree) == {"compose.yml", "conf/app.ini", "out/kept"}


def test_only_the_very_folder_is_left_out_and_no_other_of_its_name(project: Path) -> None:
    (project / "conf" / "records").mkdir()
    (project / "conf" / "records" / "a").write_text("")
    assert "conf/records/a" in read_tree(project, without=[project / "records"])


def test_single_files_can_be_left_out(project: Path) -> None:
    tree = read_tree(project, without=[project / "conf" / "app.ini", project / "out" / "gone"])
    assert set(read_tree(project)) - set(tree) == {"conf/app.ini"}


def test_a_folder_that_is_missing_or_elsewhere_or_above_changes_nothing(project: Path) -> None:
    elsewhere = [project / "nowhere", project.parent / "records", project.parent, project]
    assert read_tree(project, without=elsewhere) == read_tree(project)


def test_a_folder_is_left_out_by_whatever_path_it_is_reached(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = project.parent / "link"
    link.symlink_to(project)
    assert "records/ledger.jsonl" not in read_tree(link, without=[project / "records"])
    assert "records/ledger.jsonl" not in read_tree(project, without=[link / "records"])
    assert "records/ledger.jsonl" not in read_tree(project, without=[project / "conf" / ".." / "records"])
    monkeypatch.chdir(project)
    assert "records/ledger.jsonl" not in read_tree(Path(), without=[project / "records"])


def test_a_folder_that_is_a_link_is_left_out_with_what_it_leads_to(project: Path) -> None:
    outside = project.parent / "ledgers"
    outside.mkdir()
    for name, leads_to in {"away": outside, "within": project / "records"}.items():
        (project / name).symlink_to(leads_to)
    tree = read_tree(project, without=[project / "away", project / "within"])
    assert set(tree) == {"compose.yml", "conf/app.ini", "out/evidence/result.json", "out/kept"}


def test_a_link_to_a_folder_is_refused(project: Path) -> None:
    (project / "more").symlink_to(project / "conf")
    with pytest.raises(ConfigFault, match=r"more in .* is a link to a folder"):
        read_tree(project)


def test_a_link_that_leaves_the_folder_is_refused(project: Path) -> None:
    (project.parent / "secret").write_text("")
    (project / "innocent").symlink_to(project.parent / "secret")
    with pytest.raises(ConfigFault, match="innocent is a link that leaves"):
        read_tree(project)


def test_a_name_that_could_not_be_listed_is_refused(project: Path) -> None:
    (project / "two\nlines").write_text("")
    with pytest.raises(ConfigFault, match="control characters"):
        read_tree(project)


def test_there_must_be_such_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="is not a folder"):
        read_tree(tmp_path / "nowhere")


@pytest.mark.parametrize("bound", ["MAX_FILES", "MAX_BYTES"])
def test_a_folder_that_is_too_large_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(f"ci_lib.targets.trees.{bound}", 4)
    with pytest.raises(ConfigFault, match="holds more than"):
        read_tree(project)
