"""The documentation says what the product does: configurations load, commands exist, links lead somewhere."""

import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ci_lib.cli.options import Where
from ci_lib.cli.table import GROUPS, TABLE
from ci_lib.config.load import load
from ci_lib.config.policy import load_policy
from ci_lib.config.resolve import resolve
from ci_lib.domain.reasons import REASONS, Exit, Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *ROOT.glob("actions/*/*.md"),
        *ROOT.glob("tests/*.md"),
        *ROOT.glob("bench/*.md"),
        *(page for folder in ("docs", "examples", "templates") for page in (ROOT / folder).rglob("*.md")),
    }
    # What a gate that ran in an example has left there.
    - {page for name in ("node_modules", ".*") for page in (ROOT / "examples").glob(f"*/{name}/**/*.md")}
)
WRITTEN = [page for page in PAGES if page.parent.parent.name != "actions" and page.parent.name != "reference"]
EXAMPLES = sorted((ROOT / "examples").glob("*/deploy.yml"))

_FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_EXIT = re.compile(r"\bexit (\d+) \(((?:`\w+`(?:, )?)+)\)", re.IGNORECASE)
_MACHINE = re.compile(r"(?<![\w/.])/(?:work|root|home/\w+)/|/tmp/|\b127\.0\.0\.1:\d{5}\b")


def called(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(page: Path, *kinds: str) -> Iterator[str]:
    """The blocks of a page that are of one of these kinds, without their indentation."""
    for found in _FENCE.finditer(page.read_text("utf-8")):
        if found["kind"] in kinds:
            yield re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its blocks, in one line a paragraph, so that a phrase may be wrapped."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", _FENCE.sub("", page.read_text("utf-8")))


CONFIGURATIONS = [
    pytest.param(text, id=f"{called(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(fences(page, "yaml"))
    if text.startswith("version: 1")
]
POLICIES = [text for page in PAGES for text in fences(page, "yaml") if text.startswith("# policy.yml")]
WORKFLOWS = [
    pytest.param(text, id=f"{called(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(fences(page, "yaml"))
    if "uses: org/deploy-actions/" in text
]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=called)


def resolves(text: str) -> None:
    loaded = load(text, name="deploy.yml")
    for stack in loaded.config.stacks:
        for environment in loaded.config.environments:
            resolve(loaded, stack, environment, "/checkout")


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_in_the_documentation_is_valid(text: str) -> None:
    resolves(text)


@pytest.mark.parametrize("text", POLICIES)
def test_a_policy_in_the_documentation_is_valid(text: str) -> None:
    assert load_policy(text, name="policy.yml").keys


@pytest.mark.parametrize("path", EXAMPLES, ids=called)
def test_an_example_is_valid_and_whole(path: Path) -> None:
    text = path.read_text("utf-8")
    resolves(text)
    config = load(text, name="deploy.yml").config
    for stack in config.stacks.values():
        folder = path.parent / stack.compose.source
        assert [name for name in stack.compose.files if not (folder / name).is_file()] == []
    keys = [path.parent / host.known_hosts for host in config.hosts.values() if host.known_hosts]
    assert [str(file) for file in keys if not file.is_file()] == []


def test_the_pages_hold_what_these_tests_look_for() -> None:
    assert len(CONFIGURATIONS) > 5
    assert len(WORKFLOWS) > 8
    assert POLICIES
    assert EXAMPLES
    assert len([found for page in WRITTEN for found in _EXIT.findall(prose(page))]) > 20


def steps(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict) and str(node.get("uses")).startswith("org/deploy-actions/"):
        yield node
    for under in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from steps(under)


@pytest.mark.parametrize("text", WORKFLOWS)
def test_a_workflow_in_the_documentation_gives_inputs_that_exist(text: str) -> None:
    found = list(steps(YAML(typ="safe", pure=True).load(text)))
    assert found
    for step in found:
        command = TABLE[step["uses"].removeprefix("org/deploy-actions/").partition("@")[0]]
        assert command.action
        inputs = {option.name: option for option in command.options if option.where is not Where.TERMINAL}
        given = step.get("with", {}).keys()
        assert given <= inputs.keys()
        assert {name for name, option in inputs.items() if option.required} <= given


@EVERY_PAGE
def test_a_command_in_the_documentation_exists(page: Path) -> None:
    for text in fences(page, "sh"):
        for line in text.splitlines():
            if not line.startswith("deploy-actions "):
                continue
            words = shlex.split(line, comments=True)[1:]
            group = words[0] if words[0] in GROUPS else ""
            name = f"{group} {words[1]}" if group else words[0]
            known = {f"--{option.name}" for option in TABLE[name].options if option.where is not Where.SECRET}
            assert {word for word in words if word.startswith("--")} <= known, line


@EVERY_PAGE
def test_a_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for found in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        path, _, heading = found["target"].partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), found["target"]
        if heading:
            assert heading in headings(target), found["target"]


def test_every_row_of_the_threat_model_names_tests_that_exist() -> None:
    """The last column of a row: files of tests, or "there" for that of the row before."""
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    rows = re.findall(r"^\| (?!an attacker|-)(?P<who>.*?) \|.*\| (?P<where>.*) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    assert rows[0][1] != "there"
    for who, where in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`", where)
        assert named or where == "there", who
        assert [name for name in named if "def test_" not in (ROOT / name).read_text("utf-8")] == [], who


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in TABLE if f"`{name}`" not in text] == []


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pages = [called(page) for page in (ROOT / "docs").rglob("*.md")]
    assert [name for name in pages if f"]({name})" not in text] == []


@pytest.mark.parametrize("page", WRITTEN, ids=called)
def test_an_exit_code_and_its_reasons_belong_together(page: Path) -> None:
    for code, listed in _EXIT.findall(prose(page)):
        for name in re.findall(r"\w+", listed):
            assert int(REASONS[Reason(name)][0]) == int(code), f"exit {code} (`{name}`)"


def test_the_readme_tells_every_exit_code() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| .* \|$", text, re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(", ")}
    assert told == {int(code) for code in Exit}


@EVERY_PAGE
def test_no_page_speaks_of_the_machine_that_it_was_written_on(page: Path) -> None:
    text = page.read_text("utf-8")
    assert _MACHINE.findall(text) == []
    assert str(ROOT) not in text
    assert f" {socket.gethostname()} " not in text


@pytest.mark.parametrize("name", ["hello/cd.yml", "hello/rollback.yml", "orders/cd.yml"])
def test_the_workflows_of_the_examples_are_those_of_the_templates(name: str) -> None:
    example, _, file = name.partition("/")
    copied = ROOT / "examples" / example / ".github" / "workflows" / file
    assert copied.read_text("utf-8") == (ROOT / "templates" / ".github" / file).read_text("utf-8")
