"""What is read from the checkout about a release, and nothing from outside of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from ci_lib.cli.console import open_session
from ci_lib.cli.dotenv import variables_of
from ci_lib.cli.papers import check_papers, confined, draft_of, rows, template_of
from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.ports.protocols import Unreachable
from ci_lib.report.release_record import BUILT_IN
from tests.fakes import FakeHost

CONFIG = """\
version: 1
records: {path: records}
hosts: {here: {local: true}}
environments: {staging: {tier: staging, owner: team, hosts: [here]}}
stacks:
  shop:
    target: compose
    images: {api: {repository: r/api, services: [api]}}
    release:
      draft: ops/draft.md
      sections: []
      links: [tasks]
      record: evidence
      template: ops/record.md
      settings: [{name: KEY}, {name: HOME_TOWN, from: runner}]
"""
FACTS = {"DEPLOY_VERSION": "v2", "DEPLOY_PREVIOUS_VERSION": "v1"}


@pytest.fixture
def settings(tmp_path: Path) -> Resolved:
    folder = tmp_path / "checkout"
    (folder / "ops").mkdir(parents=True)
    (folder / "ops" / "record.md").write_text("${verb}\n")
    return resolve(load(CONFIG, name="deploy.yml"), "shop", "staging", str(folder))


def written(settings: Resolved, text: str) -> Path:
    path = Path(settings.folder) / "ops" / "draft.md"
    path.write_text(text)
    return path


def listed(settings: Resolved, dotenv: str = "KEY=x") -> dict[str, CheckResult]:
    host = FakeHost(files={"/srv/stacks/shop-staging/.env": dotenv.encode()})
    session = replace(open_session(quiet=True), env={"HOME_TOWN": "x"})
    return {row.name: row for row in rows(session, settings, host, FACTS)}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("tasks.md", True),
        ("ops/tasks.md#T1", True),
        ("ops", False),
        ("../checkout/ops/tasks.md", True),
        ("../tasks.md", False),
        ("/etc/tasks", False),
        ("away/tasks.md", False),
        ("tasks/" + "x" * 400, False),
        ("tasks\0", False),
    ],
)
def test_a_link_of_the_draft_leads_to_the_checkout(settings: Resolved, path: str, there: bool) -> None:
    folder = Path(settings.folder)
    for name in ("ops/tasks.md", "../tasks.md"):
        (folder / name).write_text("")
    (folder / "away").symlink_to(folder.parent)
    written(settings, f"Version: v2\nMigration: none\nSee {path}")
    assert (listed(settings)["draft link tasks"].mark is Mark.PASSED) is there


def test_a_draft_that_leads_away_or_has_no_end_is_one_row(settings: Resolved) -> None:
    path = written(settings, "x" * 300_000)
    assert "ops/draft.md has more than 262144 bytes" in listed(settings)["draft"].value
    path.unlink()
    assert listed(settings)["draft"].value == "ops/draft.md: there is no such file"
    path.symlink_to("/etc/hostname")
    assert "leads out of" in listed(settings)["draft"].value
    path.unlink()
    path.symlink_to(path)
    assert listed(settings)["draft"].mark is Mark.FAILED
    path.unlink()
    path.mkdir()
    assert listed(settings)["draft"].value == "ops/draft.md: there is no such file"


def test_settings_are_looked_up_in_their_places(settings: Resolved) -> None:
    assert listed(settings)["setting KEY"].mark is Mark.PASSED
    assert listed(settings)["setting HOME_TOWN"].mark is Mark.PASSED
    assert listed(settings, "#KEY=x\nkey=x\nKEY\n")["setting KEY"].value == "not set on the host"


def test_the_variables_of_a_dotenv_are_those_that_compose_sees() -> None:
    text = "A=1\n# B=2\nexport C = 'three # 3'\nD=4 # four\nE=\"5\"\nA=9\n\nF\n=7\n"
    host = FakeHost(files={"/run/.env": text.encode()})
    found = variables_of(host, "/run")
    assert {name: found[name] for name in "ACDE"} == {"A": "9", "C": "three # 3", "D": "4", "E": "5"}
    assert "B" not in found
    assert variables_of(FakeHost(), "/run") == {}


def test_a_host_that_does_not_answer_is_no_empty_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object, path: str) -> bytes:
        raise Unreachable("web1 does not answer")

    monkeypatch.setattr(FakeHost, "read", gone)
    with pytest.raises(Unreachable):
        variables_of(FakeHost(), "/run")


def test_a_template_is_checked_and_the_built_in_one_needs_no_file(settings: Resolved) -> None:
    template = Path(settings.folder) / "ops" / "record.md"
    assert template_of(settings) == "${verb}\n"
    assert listed(settings)["release record"].mark is Mark.PASSED
    template.write_text("${verb}\n$nobody\n")
    assert listed(settings)["release record"].value == "ops/record.md:2: there is no placeholder ${nobody}"
    template.unlink()
    with pytest.raises(ConfigFault, match=r"there is no ops/record\.md"):
        check_papers(settings)
    bare = settings.settings.release.model_copy(update={"template": "", "draft": ""})
    plain = replace(settings, settings=settings.settings.model_copy(update={"release": bare}))
    assert (template_of(plain), draft_of(plain)) == (BUILT_IN, None)


def test_a_record_folder_that_is_a_link_out_of_the_checkout_is_refused(settings: Resolved) -> None:
    folder = Path(settings.folder)
    (folder / "evidence").symlink_to(folder.parent)
    with pytest.raises(ConfigFault, match="leads out of"):
        confined(settings, "evidence")
    assert listed(settings)["release record"].mark is Mark.FAILED
