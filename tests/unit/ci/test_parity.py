"""What an outcome says to the steps or jobs that follow is the same on every forge."""

import pytest

from ci_lib.ci.dotenv import variable
from ci_lib.ci.gitlab import LEFT_OUT
from ci_lib.cli.table import VERBS
from ci_lib.report.outputs import outputs
from ci_lib.report.terminal import mark, terminal
from tests.golden.outcomes import DEPLOYED, OUTCOMES
from tests.unit.ci import test_github, test_gitlab
from tests.unit.ci.test_commands import parse as parse_github

PLAIN = [name for name in OUTCOMES if "hostile" not in name]


def on_github(values: dict[str, str]) -> dict[str, str]:
    seen = test_github.Watched()
    seen.reporter.outputs(values)
    return parse_github(seen.files.held["out"].decode())


def on_gitlab(values: dict[str, str]) -> dict[str, str]:
    seen = test_gitlab.Watched()
    seen.reporter.outputs(values)
    return seen.variables


@pytest.mark.parametrize("name", PLAIN)
def test_an_outcome_has_the_same_outputs_on_both_forges(name: str) -> None:
    values = outputs(OUTCOMES[name])
    github, gitlab = on_github(values), on_gitlab(values)
    assert {variable(key): value for key, value in github.items() if key not in LEFT_OUT} == {
        key: value for key, value in gitlab.items() if key != "DEPLOY_JOB_ID"
    }


def test_the_hostile_outcome_differs_only_in_what_a_variable_cannot_carry() -> None:
    values = outputs(OUTCOMES["partial-hostile"])
    gitlab = on_gitlab(values)
    for key, value in on_github(values).items():
        assert gitlab.get(variable(key), "") in ("", value)
    assert gitlab["DEPLOY_STATUS"] == "partial"


def test_every_output_of_the_table_is_a_variable_but_the_json() -> None:
    names = {output.name for output in VERBS[0].outputs}
    variables = {variable(name) for name in names - LEFT_OUT}
    assert set(on_gitlab(outputs(DEPLOYED))) == variables | {"DEPLOY_JOB_ID"}
    assert names > LEFT_OUT


def test_all_reporters_end_with_the_same_sentence() -> None:
    gitlab, github = test_gitlab.Watched(NO_COLOR="1"), test_github.Watched()
    for seen in (gitlab, github):
        seen.reporter.verdict(mark(DEPLOYED), terminal(DEPLOYED))
    assert gitlab.read.text == "\n".join(github.lines)
