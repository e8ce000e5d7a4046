from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ci_lib.config.load import load
from ci_lib.config.models import Hooks
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.config.show import as_json, render

TEXT = """\
version: 1
records: {path: /srv/records, host: ops}
hosts:
  ops: {ssh: deploy@ops.example, known_hosts: ops/known_hosts}
  here: {local: true}
  unused: {local: true}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
  production: {tier: production, owner: ops, hosts: [here], requires: {environment: staging, soak: 90s}}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend]}
    checks: [{name: ready, type: http, from: host, url: "http://127.0.0.1/{stack}", delay: 0.5s}]
    limits: {pull: 1h}
"""

SHOWN = """\
stack: shop
environment: production
target: compose
config_hash: HASH
folder: /repo
place:
  tier: production
  owner: ops
  hosts:
  - here
  requires:
    environment: staging
    match: image
    max_age: 30d
    soak: 90s
    sign_off: false
required_by: []
records:
  store: directory
  host: ops
  path: /srv/records
hosts:
  ops:
    local: false
    ssh: deploy@ops.example
    known_hosts: ops/known_hosts
    sudo: false
  here:
    local: true
    sudo: false
images:
  api:
    repository: ghcr.io/acme/api
    services:
    - backend
    resolve: runner
settings:
  compose:
    source: .
    files:
    - docker-compose.yml
    run_dir: /srv/stacks/shop-production
    project: shop-production
    one_shot: []
    drop_build: false
    settle: 3s
  checks:
  - name: ready
    tries: 3
    delay: 0.5s
    timeout: 5s
    type: http
    from: host
    url: http://127.0.0.1/shop
    status: 200
    header: {}
  verify: []
  hooks:
    before_switch: []
    after_verify: []
    on_failure: []
  limits:
    build: 30m
    prepare: 2m
    pull: 1h
    backup: 15m
    restore: 1h
    provision: 2m
    switch: 5m
    serving: 2m
    hook: 5m
  preflight:
    disk_free: 20%
    resource_limits: warn
  backup:
    path: /srv/backups/shop
    keep: 10
    databases: []
  provision: []
  release:
    draft: ''
    sections:
    - Scope
    - Risk
    - Contacts
    links: []
    questions: []
    commit_checks: []
    settings: []
    record: ''
    template: ''
  evidence:
    logs: true
    mask_env: []
  registries: {}
  history_name: shop
  history_env: production
"""


def resolved() -> Resolved:
    return resolve(load(TEXT, name="deploy.yml"), "shop", "production", "/repo")


def test_the_whole_of_a_stack_in_an_environment_is_shown() -> None:
    made = resolved()
    assert render(made) == SHOWN.replace("HASH", made.config_hash)


def test_the_other_targets_settings_are_left_out() -> None:
    assert "process" not in as_json(resolved())["settings"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), max_size=100))
@settings(max_examples=50, deadline=None)
def test_what_is_shown_reads_back_as_the_same(word: str) -> None:
    made = resolved()
    hooks = Hooks(before_switch=(("sh", "-c", word),))
    laid = made.settings.model_copy(update={"hooks": hooks})
    changed = Resolved(
        **{name: getattr(made, name) for name in Resolved.__dataclass_fields__} | {"settings": laid}
    )
    assert YAML(typ="safe", pure=True).load(render(changed)) == as_json(changed)
