"""What the documentation says of GitLab: what it includes exists, and takes the inputs that it is given."""

from pathlib import Path
from typing import Any

import pytest

from ci_lib.version import VERSION
from tests.contract.gitlab_files import FOLDER, ROOT
from tests.contract.gitlab_render import SHA, documents, render, rendered
from tests.contract.test_docs import PAGES, called, fences

INCLUDES = [
    pytest.param(include, text, id=f"{called(page)}-{number}-{place}")
    for page in PAGES
    for number, text in enumerate(fences(page, "yaml"))
    if text.startswith(("include:", "stages:", "spec:"))
    for place, include in enumerate(rendered(text, {})["include"])
]


def included(include: dict[str, Any]) -> Path:
    """The file that an include of the documentation means."""
    if "component" in include:
        address, _, version = include["component"].partition("@")
        name = address.removeprefix("$CI_SERVER_FQDN/org/deploy-actions/")
        assert version == f"v{VERSION}"
        return ROOT / "templates" / f"{name}.yml"
    if "remote" in include:
        assert include["integrity"].startswith("sha256-")
        name = include["remote"].rpartition("/")[2]
        assert name != "pipeline.yml", "it includes its neighbours"
        return ROOT / FOLDER / name
    assert include["project"] == "org/deploy-actions"
    assert include["ref"] in (f"v{VERSION}", SHA)
    return ROOT / str(include["file"]).lstrip("/")


@pytest.mark.parametrize(("include", "text"), INCLUDES)
def test_an_include_in_the_documentation_gives_inputs_that_exist(include: dict[str, Any], text: str) -> None:
    """And a job that is written again below it is one that it makes."""
    made = render(included(include), include.get("inputs", {}))
    again = set(rendered(text, {})) - {"include", "stages"}
    assert again <= made.keys()


def test_the_pages_hold_what_this_looks_for() -> None:
    assert len(INCLUDES) >= 8


def test_the_page_speaks_of_inputs_that_the_pipeline_has() -> None:
    text = (ROOT / "docs/how-to/gitlab.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    declared = documents(ROOT / FOLDER / "pipeline.yml")[0]["spec"]["inputs"]
    named = {part.strip(" `").partition(":")[0] for row in rows for part in row.split("|")[1].split(",")}
    assert rows
    assert named <= declared.keys()
