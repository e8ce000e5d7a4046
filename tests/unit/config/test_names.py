"""Which variables of the job deploy.yml names, wherever it does."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from ci_lib.config.load import load
from ci_lib.config.models import DeployConfig
from ci_lib.config.names import hosts_of, variable_names
from ci_lib.config.patterns import ENV
from ci_lib.config.resolve import resolve

TEXT = """\
version: 1
records: {store: git, remote: "https://git.example/acme/shop.git", token_env: LEDGER_TOKEN}
hosts:
  web1: {ssh: deploy@web1.example, known_hosts: ops/known_hosts, key_env: WEB_KEY}
  web2: {ssh: deploy@web2.example, known_hosts: ops/known_hosts, key_env: WEB_KEY}
  other: {ssh: deploy@other.example, known_hosts: ops/known_hosts, key_env: OTHER_KEY}
environments:
  staging: {tier: staging, owner: team, hosts: [web1]}
  production:
    tier: production
    owner: operations
    hosts: [web1]
    signing: {key_env: SIGN_KEY, verifier: "https://ci.example/acme/production"}
  elsewhere: {tier: other, owner: team, hosts: [other]}
stacks:
  shop:
    target: compose
    images:
      api:
        repository: ghcr.io/acme/api
        services: [backend]
        build: {context: api, args_env: [ARG], secrets: {npm: NPM_TOKEN}}
    registries: {ghcr.io: {username_env: USER_NAME, password_env: PASS_WORD}}
    release:
      settings:
        - {name: CHAT, from: runner, expires_in: CHAT_DAY}
        - {name: IN_DOT_ENV}
    provision:
      - {service: pg, type: postgres, databases: {orders: {user: orders, password_env: ORDERS_PW}}}
      - service: my
        type: mysql
        password_env: INSIDE
        databases: {board: {user: board, password_env: BOARD_PW}}
    backup:
      databases: [{type: mysql, service: my, database: board, password_env: INSIDE}]
    evidence: {mask_env: [MASKED]}
    history_env: prod
    environments:
      staging: {registries: {ghcr.io: {username_env: USER_NAME, password_env: STAGING_PW}}}
"""


def named(environment: str, text: str = TEXT) -> Mapping[str, tuple[str, ...]]:
    return variable_names(resolve(load(text, name="deploy.yml"), "shop", environment, "/shop"))


def test_every_variable_of_the_job_is_named_with_the_keys_that_do() -> None:
    assert named("production") == {
        "SIGN_KEY": ("environments.production.signing.key_env",),
        "WEB_KEY": ("hosts.web1.key_env",),
        "LEDGER_TOKEN": ("records.token_env",),
        "USER_NAME": ("registries.ghcr.io.username_env",),
        "PASS_WORD": ("registries.ghcr.io.password_env",),
        "ORDERS_PW": ("provision.pg.databases.orders.password_env",),
        "BOARD_PW": ("provision.my.databases.board.password_env",),
        "CHAT": ("release.settings",),
        "CHAT_DAY": ("release.settings",),
        "ARG": ("images.api.build.args_env",),
        "NPM_TOKEN": ("images.api.build.secrets",),
    }


def test_an_environment_has_its_own_variables_and_not_those_of_another() -> None:
    staging = named("staging")
    assert "STAGING_PW" in staging
    assert not staging.keys() & {"PASS_WORD", "SIGN_KEY", "OTHER_KEY"}


def test_the_host_of_the_records_is_needed_too() -> None:
    git = TEXT.splitlines()[1]
    text = TEXT.replace(git, "records: {host: other, path: /srv/releases}")
    settings = resolve(load(text, name="deploy.yml"), "shop", "production", "/shop")
    assert hosts_of(settings) == ("web1", "other")
    assert "OTHER_KEY" in variable_names(settings)


KNOWN = {
    # named, and asked for
    "HostSettings.key_env",
    "Signing.key_env",
    "GitRecords.token_env",
    "GitRecords.key_env",
    "Login.username_env",
    "Login.password_env",
    "Account.password_env",
    "Setting.name",
    "Setting.expires_in",
    "Build.args_env",
    "Build.secrets",
    # of a container, or what we ourselves set
    "Mysql.password_env",
    "MysqlServer.password_env",
    "RestoreService.variable",
    "Build.args",
    "Service.env",
    "GateJob.env",
    # need not be there
    "Evidence.mask_env",
}


def test_no_key_that_holds_the_name_of_a_variable_is_forgotten() -> None:
    """A new one has to be put into `variable_names`, or below the others here."""
    models: set[type[BaseModel]] = set()
    _collect(DeployConfig, models)
    found = {
        f"{model.__name__}.{name}"
        for model in models
        for name, hint in typing.get_type_hints(model, include_extras=True).items()
        if name in model.model_fields and _holds_a_variable(hint)
    }
    assert found == KNOWN


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in getattr(hint, "__metadata__", ()):
        yield part
    if isinstance(hint, types.GenericAlias | types.UnionType) or typing.get_args(hint):
        for part in typing.get_args(hint):
            yield from _parts(part)


def _holds_a_variable(hint: Any) -> bool:
    return any(getattr(part, "pattern", None) == ENV for part in _parts(hint))


def _collect(model: type[BaseModel], models: set[type[BaseModel]]) -> None:
    if model in models:
        return
    models.add(model)
    for hint in typing.get_type_hints(model, include_extras=True).values():
        for part in _parts(hint):
            if isinstance(part, type) and issubclass(part, BaseModel):
                _collect(part, models)
