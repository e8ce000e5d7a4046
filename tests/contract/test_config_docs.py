"""The schema and the reference of deploy.yml are the models', and agree with them on documents."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ci_lib.config.document import parse
from ci_lib.config.load import load
from ci_lib.config.reference import reference
from ci_lib.config.schema import parts, schema, text
from ci_lib.domain.errors import ConfigFault

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

GOOD = """\
version: 1
records: {store: directory, host: ops, path: /srv/releases}
hosts:
  ops: {ssh: deploy@ops.example, known_hosts: ops/known_hosts}
  web1: {ssh: deploy@web1.example, known_hosts: ops/known_hosts, sudo: false}
environments:
  staging: {tier: staging, owner: team-shop, hosts: [web1]}
  production:
    {tier: production, owner: ops, hosts: [web1], requires: {environment: staging, max_age: 30d}}
stacks:
  shop:
    target: compose
    compose:
      source: stacks/shop
      files: [docker-compose.yml]
      run_dir: /srv/stacks/shop-{environment}
      project: shop-{environment}
      one_shot: [init]
    images:
      api: {repository: ghcr.io/acme/api, services: [backend, worker]}
      web: {repository: ghcr.io/acme/web, services: [nginx]}
    checks:
      - {name: ready, type: http, from: host, url: "http://web/ready", status: 200, tries: 3, timeout: 5s}
      - {name: database, type: postgres, service: db}
    hooks: {before_switch: [], after_verify: [[sh, -c, "echo done"]], on_failure: []}
    limits: {pull: 1.5m}
    preflight: {disk_free: 20%}
    registries: {ghcr.io: {username_env: GHCR_USER, password_env: GHCR_TOKEN}}
    environments:
      production: {compose: {run_dir: /srv/stacks/shop-prod, project: shop-prod}, history_name: shop-prod}
gate:
  presets: [python-uv, {use: node-pnpm, folder: web, prefix: web}]
  jobs:
    - {name: lint, command: [ruff, check], group: static, sarif: "-", fail_on: low}
    - {name: types, command: [mypy], fallback: [pyright], cannot_run: [no space]}
    - {name: unit, command: [pytest], env: {CI: "1"}, junit: [unit.xml], coverage: c.json, coverage_min: 90%}
"""

BAD = [
    ("version: 1", "version: '1'"),
    ("version: 1", "version: 2"),
    ("store: directory", "store: cloud"),
    ("  ops: {ssh", "  Ops: {ssh"),
    ("sudo: false", "sudo: 'no'"),
    ("sudo: false", "sudoo: false"),
    ("deploy@web1.example", "-oProxyCommand=x"),
    ("hosts: [web1]}", "hosts: []}"),
    ("hosts: [web1]}", "hosts: []}"),
    ("hosts: [web1]}", "hosts: [web1], rollout: {batch: 0}}"),
    ("hosts: [web1]}", "hosts: [web1], rollout: {batch: 0%}}"),
    ("owner: team-shop, ", ""),
    ("max_age: 30d", "max_age: 30"),
    ("max_age: 30d", "max_age: 0d"),
    ("source: stacks/shop", "source: [stacks/shop]"),
    ("services: [nginx]", "services: [--all]"),
    ("type: http", "type: htp"),
    ("type: http, ", ""),
    ("status: 200", "status: 1000"),
    ("status: 200", "status: '200'"),
    ("timeout: 5s", "timeout: 5"),
    ("url: ", "urls: "),
    ("[sh, -c,", "[sh, 1,"),
    ('[[sh, -c, "echo done"]]', "[[]]"),
    ("pull: 1.5m", "pull: 1,5m"),
    ("disk_free: 20%", "disk_free: 200%"),
    ("username_env: GHCR_USER", "username_env: '${GHCR_USER}'"),
    ("      production: {compose", "      production: {target"),
    ("[python-uv, ", "[python, "),
    ("use: node-pnpm, ", ""),
    ("use: node-pnpm", "use: node"),
    ("prefix: web}", "prefix: Web}"),
    ("prefix: web}", "preffix: web}"),
    ("cannot_run: [no space]", "cannot_run: ['']"),
    ("name: unit", "name: Unit"),
    ("command: [pytest]", "command: []"),
    ("fallback: [pyright]", "fallback: []"),
    ("fail_on: low", "fail_on: unknown"),
    ("{CI: ", "{C-I: "),
    ("coverage_min: 90%", "coverage_min: 90"),
    ("junit: [unit.xml]", "junit: unit.xml"),
    ("junit: [unit.xml]", "tries: 0"),
]


def valid(document: str) -> bool:
    data: Any = parse(document, name="deploy.yml").data
    return bool(Draft202012Validator(schema()).is_valid(data))


def test_the_schema_in_the_docs_is_the_models() -> None:
    assert (REFERENCE / "deploy.schema.json").read_text("utf-8") == text(), (
        "run: python -m ci_lib.config.schema > docs/reference/deploy.schema.json"
    )


def test_the_reference_in_the_docs_is_the_models() -> None:
    assert (REFERENCE / "deploy-yml.md").read_text("utf-8") == reference(), (
        "run: python -m ci_lib.config.reference > docs/reference/deploy-yml.md"
    )


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_schema_and_models_take_a_good_document() -> None:
    load(GOOD, name="deploy.yml")
    assert valid(GOOD)


@pytest.mark.parametrize(("old", "new"), BAD)
def test_schema_and_models_refuse_the_same_documents(old: str, new: str) -> None:
    assert old in GOOD
    document = GOOD.replace(old, new, 1)
    with pytest.raises(ConfigFault):
        load(document, name="deploy.yml")
    assert not valid(document)


def test_every_default_is_valid_where_it_stands() -> None:
    made = schema()
    for part in parts(made):
        if "default" in part and part["default"] is not None:
            Draft202012Validator({**part, "$defs": made["$defs"]}).validate(part["default"])


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_link_of_the_reference_leads_to_a_heading() -> None:
    page = reference()
    headings = {
        "".join(c for c in line[3:].lower().replace(" ", "-") if c.isalnum() or c in "-_")
        for line in page.splitlines()
        if line.startswith("## ")
    }
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert links
    assert links <= headings
