"""What a candidate changes, from the host's answers."""

import json
from dataclasses import replace

from ci_lib.domain.differences import Difference, How
from ci_lib.domain.images import Release
from ci_lib.domain.target import Candidate, Kept
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.compare import compare
from ci_lib.targets.compose.kept import read
from ci_lib.targets.compose.memory import Remembered
from ci_lib.targets.compose.parsed import settings_of
from ci_lib.targets.compose.site import Site
from tests.contract.fake_target import image, settings
from tests.fakes import FakeClock, FakeHost
from tests.unit.targets.test_compose_parts import parsed

RELEASE = Release(images=(image("api", "v1"),), files="f")
PIN = "compose.override.yaml"
A, B = "a" * 64, "b" * 64
ENTRIES = {"compose.yml": f"- {A}", "run.sh": f"x {A}"}


def told(
    settings: str = '{"api.command": "1"}', *, kept: str = "", executable: str = "", there: str = ""
) -> str:
    return f"settings {settings}\n\nkept\n{kept}executable\n{executable}there\n{there}"


def found(answer: str, *, current: Release | None = RELEASE, **settings_now: str):  # noqa: ANN201
    host = FakeHost(commands={("sh",): Ran(code=0, stdout=answer)})
    kept = () if current is None else (Kept(release=current, good=True, current=True),)
    remembered = Remembered(kept=kept, layouts={RELEASE.id: f"compose.yml\n{PIN}\n"})
    candidate = Candidate(release=RELEASE, workloads={}, settings=settings_now)
    site = Site(settings=settings(), host=host, clock=FakeClock())
    result = compare(site, remembered, ENTRIES, candidate)
    assert host.calls[0].stdin == b"compose.yml\nrun.sh\n"
    assert len(host.calls) == 1
    return result


def test_settings_and_files_are_compared_with_what_was_noted_at_the_switch() -> None:
    kept = f"{A}  compose.yml\n{B}  run.sh\n{B}  gone.conf\n{B}  {PIN}\n"
    result = found(told(kept=kept, executable="x run.sh\n"), **{"api.command": "2"})
    assert result.settings == (Difference(name="api.command", how=How.CHANGED),)
    assert result.files == (
        Difference(name="gone.conf", how=How.REMOVED),
        Difference(name="run.sh", how=How.CHANGED),
    )
    assert result.unknown == ()


def test_a_file_that_may_be_executed_now_is_a_change() -> None:
    result = found(told(kept=f"{A}  compose.yml\n{A}  run.sh\n"), **{"api.command": "1"})
    assert [item.name for item in result.files] == ["run.sh"]
    assert result.settings == ()


def test_settings_that_were_not_noted_or_not_written_to_the_end_are_unknown() -> None:
    kept = f"{A}  compose.yml\n{A}  run.sh\n"
    for text in ("", '{"api.comm', "[]"):
        result = found(told(text, kept=kept, executable="x run.sh\n"))
        assert (result.settings, result.files) == ((), ())
        assert "did not note its settings" in result.unknown[0]


def test_what_was_adopted_has_files_in_the_run_directory_and_no_settings() -> None:
    result = found(told("", there=f"{B}  compose.yml\n"), current=None)
    assert result.files == (
        Difference(name="compose.yml", how=How.CHANGED),
        Difference(name="run.sh", how=How.ADDED),
    )
    assert "was not deployed by deploy-actions" in result.unknown[0]


def test_an_adopted_release_that_serves_again_is_called_so() -> None:
    result = found(told(""), current=replace(RELEASE, adopted=True))
    assert "was not deployed by deploy-actions" in result.unknown[0]


def test_names_that_look_like_the_answers_own_words_are_names() -> None:
    answer = read(told(kept=f"{A}  there\n", executable="x kept\nx there\n", there=f"\\{B}  a\\\\b\n"))
    assert answer.kept == {"there": A}
    assert answer.executable == {"kept", "there"}
    assert answer.there == {"a\\b": B}


def test_every_setting_has_a_name_and_what_the_pin_decides_has_none() -> None:
    stack = parsed(
        api={"image": "x", "build": ".", "environment": {"TOKEN": "hunter2"}, "ports": [80]},
        db={"image": "pg:1"},
    )
    stack = replace(stack, shared={"volumes": {"data": {"name": "d"}}, "networks": {}})
    names = settings_of(stack, {"api"})
    assert list(names) == [
        "api.environment.TOKEN",
        "api.ports",
        "db.image",
        "top-level.volumes.data",
        "top-level.networks",
    ]
    assert "hunter2" not in json.dumps(names)
