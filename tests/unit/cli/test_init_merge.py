"""A file of GitLab that is there already also includes ours, and keeps everything that it says."""

import pytest
from ruamel.yaml import YAML

from ci_lib.cli.init_merge import merged
from ci_lib.domain.errors import ConfigFault

OURS = """\
# how to copy it
spec:
  inputs:
    deploy-task: {default: release}
---
include:
  - local: /.gitlab/deploy-actions.yml
    inputs: {task: "$[[ inputs.deploy-task ]]"}
"""
STAGES = ["lint-test", "build", "deploy", "finalize"]

THEIRS = """\
# The pipeline of the shop.
stages: [build, test, deploy]   # in this order

include:
  # what everybody here has
  - template: Jobs/SAST.gitlab-ci.yml

unit:   # fast
  stage: test
  script:
    - 'make test'   # all of it
    - !reference [.setup, script]
  # the end
"""


def parsed(text: str) -> list[dict[str, object]]:
    return list(YAML().load_all(text))


def test_what_is_there_keeps_its_comments_quotes_tags_and_order() -> None:
    made = merged(THEIRS, OURS, STAGES)
    wanted = [line for line in THEIRS.splitlines() if "stages:" not in line]
    assert [line for line in made.splitlines() if line in wanted] == wanted
    assert "stages: [lint-test, build, test, deploy, finalize] # in this order" in made
    header, body = parsed(made)
    assert header == parsed(OURS)[0]
    assert body["include"] == [{"template": "Jobs/SAST.gitlab-ci.yml"}, parsed(OURS)[1]["include"][0]]


def test_twice_is_as_once() -> None:
    made = merged(THEIRS, OURS, STAGES)
    assert merged(made, OURS, STAGES) == made


@pytest.mark.parametrize(
    ("include", "was"),
    [
        ("", []),
        ("include: /other.yml\n", ["/other.yml"]),
        ("include: {local: /other.yml}\n", [{"local": "/other.yml"}]),
        ("include: [/other.yml]\n", ["/other.yml"]),
    ],
)
def test_every_form_of_include_becomes_a_list_with_ours_at_its_end(include: str, was: list[object]) -> None:
    made = merged(f"{include}unit:\n  script: [make]\n", OURS, STAGES)
    assert parsed(made)[1]["include"] == [*was, parsed(OURS)[1]["include"][0]]


def test_jobs_keep_the_stages_that_gitlab_gives_a_file_without_any() -> None:
    made = merged("unit:\n  script: [make]\n", OURS, STAGES)
    assert parsed(made)[1]["stages"] == ["lint-test", "build", "test", "deploy", "finalize"]


def test_inputs_that_the_file_asks_for_stay_and_ours_are_added() -> None:
    asked = "# asked\nspec:\n  inputs:\n    colour: {default: red}   # or blue\n"
    theirs = f"{asked}---\nunit:\n  script: [make]\n"
    made = merged(theirs, OURS, STAGES)
    assert "colour: {default: red}   # or blue" in made
    assert made.startswith("# asked\n")
    assert list(parsed(made)[0]["spec"]["inputs"]) == ["colour", "deploy-task"]  # type: ignore[index]


@pytest.mark.parametrize(
    "theirs",
    [
        "a: [\n",
        "- a\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\na: 2\n",
        "stages: [deploy, build]\n",
    ],
)
def test_what_cannot_be_edited_with_certainty_is_not(theirs: str) -> None:
    with pytest.raises(ConfigFault):
        merged(theirs, OURS, STAGES)
