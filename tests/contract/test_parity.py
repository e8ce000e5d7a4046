"""The same verbs, options and codes in the table, on the command line, on both forges and on the pages.

Other tests hold the pages equal to what is generated. These read them as a person does, so that a generator
that leaves something out is noticed.
"""

import re
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from ci_lib.ci.dotenv import variable
from ci_lib.cli.main import cli
from ci_lib.cli.options import Where
from ci_lib.cli.table import ACTIONS, TABLE, VERBS, Command
from ci_lib.domain.reasons import REASONS, Exit, Reason, Status
from tests.contract.generate import ROOT

REFERENCE = ROOT / "docs" / "reference"
COMMANDS = (REFERENCE / "commands.md").read_text("utf-8")
EVERY = pytest.mark.parametrize("spec", TABLE.values(), ids=lambda spec: spec.name)


def section(name: str) -> str:
    """What the reference says under the heading of that name, up to the next one."""
    (found,) = re.findall(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    return str(found)


def on_the_command_line(name: str) -> click.Command:
    """The command that click runs for these words."""
    found: click.Command = cli
    for word in name.split():
        assert isinstance(found, click.Group)
        under = found.get_command(click.Context(found), word)
        assert under is not None
        found = under
    return found


def walked(group: click.Group, words: str = "") -> set[str]:
    """Every command that can be called."""
    names = set()
    for word in group.list_commands(click.Context(group)):
        under = group.get_command(click.Context(group), word)
        if isinstance(under, click.Group):
            names |= walked(under, f"{words}{word} ")
        else:
            names.add(words + word)
    return names


def test_what_can_be_called_is_the_table_and_has_its_entry() -> None:
    assert isinstance(cli, click.Group)
    headings = re.findall(r"^## (.+)$", COMMANDS, re.MULTILINE)
    assert walked(cli) == set(TABLE)
    assert headings == [*TABLE, "Outputs"]


@EVERY
def test_the_entry_of_a_command_has_the_flags_that_it_takes(spec: Command) -> None:
    flags = {
        flag
        for parameter in on_the_command_line(spec.name).params
        if isinstance(parameter, click.Option)
        for flag in parameter.opts
    }
    entry = section(spec.name)
    shown = set(re.findall(r"^\| `(--[a-z0-9-]+)", entry, re.MULTILINE))
    assert shown == flags - {"--help"}
    secret = {option.name for option in spec.options if option.where is Where.SECRET}
    assert set(re.findall(r"^\| `([a-z0-9-]+)`, as an input only", entry, re.MULTILINE)) == secret
    assert spec.summary in entry


@EVERY
def test_the_example_of_a_command_calls_it(spec: Command) -> None:
    assert spec.example.split(" --")[0].startswith(f"deploy-actions {spec.name}")
    assert spec.example in section(spec.name)


TEMPLATES = [command for command in ACTIONS if command.name != "doctor"]
"""What both forges have; a job of GitLab has no template for `doctor`."""


def test_every_verb_is_an_action_and_a_template_and_a_component() -> None:
    assert {verb.name for verb in VERBS} <= {command.name for command in ACTIONS}
    for folder in ("templates/.gitlab-ci", "templates"):
        there = {path.stem for path in (ROOT / folder).glob("*.yml")} - {"pipeline"}
        assert there == {command.name for command in TEMPLATES}


@pytest.mark.parametrize("verb", TEMPLATES, ids=lambda verb: verb.name)
def test_both_forges_give_a_verb_the_same_inputs(verb: Command) -> None:
    """Except for where the evidence goes: GitLab takes artifacts from one folder alone."""
    yaml = YAML(typ="safe", pure=True)
    action: dict[str, Any] = yaml.load((ROOT / "actions" / verb.name / "action.yml").read_text("utf-8"))
    template = next(yaml.load_all((ROOT / "templates/.gitlab-ci" / f"{verb.name}.yml").read_text("utf-8")))
    assert set(action["inputs"]) - set(template["spec"]["inputs"]) <= {"evidence"}


def test_the_reference_has_the_outputs_of_both_forges() -> None:
    shown = re.findall(r"^\| `([a-z-]+)` \|", section("Outputs"), re.MULTILINE)
    for verb in VERBS:
        assert [output.name for output in verb.outputs] == shown
    page = (REFERENCE / "gitlab-job.md").read_text("utf-8")
    named = set(re.findall(r"`(DEPLOY_[A-Z_]+)`", page)) - {"DEPLOY_JOB_ID"}
    assert named
    assert named <= {variable(name) for name in shown}


def test_the_page_of_exit_codes_has_each_code_each_reason_and_each_status() -> None:
    page = (REFERENCE / "exit-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert {(int(code), reason) for code, reason, _ in rows} == {
        (int(REASONS[reason][0]), str(reason)) for reason in Reason
    }
    assert len(rows) == len(Reason)
    assert {int(code) for code, _, _ in rows} == {int(code) for code in Exit}
    _, _, statuses = page.partition("## Statuses")
    assert set(re.findall(r"`(\w+)`", statuses)) == {str(status) for status in Status}
