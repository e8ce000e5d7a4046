"""Each YAML block of the documentation is looked at: pieces here, whole files in `test_docs.py`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ci_lib.config.load import load
from ci_lib.config.models import DeployConfig
from tests.contract.test_docs import PAGES, called, fences
from tests.contract.test_workflows import tool

WHOLE = ("version: 1\n", "# policy.yml", "include:", "stages:", "spec:")
"""How a block begins that `test_docs.py` and `test_gitlab_docs.py` read."""

BASE = """\
version: 1
records: {store: directory, path: /srv/releases}
hosts:
  web1: {local: true}
environments:
  staging: {tier: staging, owner: team-shop, hosts: [web1]}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend]}
"""
STACK = ("stacks", "shop")
PLACES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(DeployConfig.model_fields, ()),
    "provision": STACK,
    "build": (*STACK, "images", "api"),
}
"""Where a key stands in deploy.yml that a piece of it begins with."""


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def in_deploy_yml(piece: Mapping[str, Any]) -> None:
    """The piece in its place of a whole deploy.yml, which must be valid then."""
    document = loaded(BASE)
    for key, value in piece.items():
        place = document
        for name in PLACES[key]:
            place = place[name]
        place[key] = value
    load(json.dumps(document), name="deploy.yml")


def in_schema(kind: str) -> Callable[[Mapping[str, Any], Path], None]:
    def check(document: Mapping[str, Any], folder: Path) -> None:
        path = folder / "document.json"
        path.write_text(json.dumps(document))
        assert tool("check-jsonschema", "--builtin-schema", f"vendor.{kind}", path) == ""

    return check


def in_workflow(piece: Mapping[str, Any], folder: Path) -> None:
    """Keys of a job, in a job."""
    job = {"runs-on": "ubuntu-latest", "steps": [{"run": "true"}], **piece}
    in_schema("github-workflows")({"on": "push", "jobs": {"job": job}}, folder)


def in_pipeline(piece: Mapping[str, Any], folder: Path) -> None:
    """Jobs of GitLab; one that only adds to a template's has its script from there."""
    jobs = {name: {"script": ["true"], **job} for name, job in piece.items()}
    in_schema("gitlab-ci")(jobs, folder)


def check(piece: Mapping[str, Any], folder: Path) -> None:
    """Look at a piece as what its keys say that it is; raise for one that nobody knows."""
    if piece.keys() <= PLACES.keys():
        in_deploy_yml(piece)
    elif "services" in piece:
        in_schema("compose-spec")(piece, folder)
    elif piece.keys() <= {"env", "permissions", "environment", "concurrency"}:
        in_workflow(piece, folder)
    elif all(isinstance(job, dict) and job.keys() & {"script", "environment"} for job in piece.values()):
        in_pipeline(piece, folder)
    else:
        raise AssertionError(f"what kind of YAML is this? {sorted(piece)}")


PIECES = [
    pytest.param(text, id=f"{called(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(fences(page, "yaml", "yml"))
    if not text.startswith(WHOLE) and "uses: org/deploy-actions/" not in text
]


@pytest.mark.parametrize("text", PIECES)
def test_a_piece_of_yaml_in_the_documentation_is_valid_where_it_belongs(text: str, tmp_path: Path) -> None:
    check(loaded(text), tmp_path)


def test_there_are_pieces() -> None:
    assert len(PIECES) > 10


@pytest.mark.parametrize(
    "text",
    [
        "gate: {presetz: [python-pip]}",
        "build: {contxt: api}",
        "provision: [{type: mysql, service: db}]",
        "services: {db: {imagee: postgres}}",
        "env: [A]",
        "deploy: {script: 7}",
        "deploy: {environment: {name: production, acton: access}}",
        "unheard: of",
    ],
)
def test_a_piece_with_a_mistake_is_not_valid(text: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r".+"):
        check(loaded(text), tmp_path)
