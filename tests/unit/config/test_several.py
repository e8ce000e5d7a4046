"""Environments of several hosts: how a release goes over them, and what they do not do yet."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.rollout import Rollout
from ci_lib.config.show import as_json
from ci_lib.domain.errors import ConfigFault

Ask = Callable[[str], list[str]]

TEXT = """\
version: 1
records: {host: ops, path: /srv/releases}
hosts:
  ops: {ssh: a@ops, known_hosts: k}
  web1: {ssh: a@web1, known_hosts: k}
  web2: {ssh: a@web2, known_hosts: k}
environments:
  staging: {tier: staging, owner: team, hosts: [web1]}
  production: {tier: production, owner: operations, hosts: [web1, web2], rollout: {batch: 25%}}
stacks:
  shop:
    target: compose
    images:
      api: {repository: ghcr.io/acme/api, services: [backend]}
    compose: {source: shop}
    environments: {production: {}}
"""
ELSEWHERE = "keep databases in a stack of their own, in an environment of one host"


@pytest.mark.parametrize(
    ("batch", "hosts", "size"), [(1, 3, 1), ("2", 3, 2), ("25%", 3, 1), ("25%", 5, 2), ("100%", 20, 20)]
)
def test_a_batch_is_a_number_of_hosts_or_a_share_that_is_rounded_up(
    batch: object, hosts: int, size: int
) -> None:
    assert Rollout(batch=batch).size(hosts) == size  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [0, -1, "0", "0%", "101%", "25.5%", "half", True, None, [1], 1.5, ""])
def test_no_other_text_is_a_size_of_a_batch(batch: object) -> None:
    with pytest.raises(ValidationError, match="no size of a batch"):
        Rollout(batch=batch)  # type: ignore[arg-type]


def test_an_environment_may_have_several_hosts(mistakes: Ask) -> None:
    assert mistakes(TEXT) == []
    made = resolve(load(TEXT, name="deploy.yml"), "shop", "production", "/repo")
    assert made.several == ("web1", "web2")
    assert made.host == "web1"
    assert as_json(made)["place"]["rollout"] == {
        "batch": "25%",
        "max_parallel": 10,
        "on_host_failure": "all",
    }
    assert resolve(load(TEXT, name="deploy.yml"), "shop", "staging", "/repo").several == ()


def test_a_mistake_in_the_rollout_is_told_with_its_line(mistakes: Ask) -> None:
    assert mistakes(TEXT.replace("25%", "0")) == [
        ("deploy.yml:9: environments.production.rollout.batch: 0 is no size of a batch: write a number of "
        "hosts such as 2, or a share of them such as 25%")
    ]


def test_hosts_of_an_environment_are_different_machines(mistakes: Ask) -> None:
    twice = TEXT.replace("hosts: [web1, web2]", "hosts: [web1, web2, web1]")
    where = "deploy.yml:9: environments.production.hosts"
    assert mistakes(twice) == [f'{where}[2]: "web1" is there twice']
    same = TEXT.replace("a@web2", "b@web1")
    assert mistakes(same) == [f'{where}[1]: "web2" is the same machine as "web1"']


def test_a_second_host_is_looked_at_like_the_first(mistakes: Ask) -> None:
    assert "no host" in mistakes(TEXT.replace("[web1, web2]", "[web1, web3]"))[0]
    shared = TEXT.replace("hosts: [web1]}", "hosts: [web2]}").replace(
        "source: shop", "run_dir: /srv/shop, project: '{stack}-{environment}'"
    )
    assert mistakes(shared) == [
        ('deploy.yml:15: stacks.shop.compose.run_dir: "/srv/shop" is used by shop in staging and by shop in '
        "production on the same host: write {stack} and {environment} into it")
    ]


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("backup: {enabled: true}", f"`backup.enabled` works on one: {ELSEWHERE}, and set it to false here"),
        (
            "backup: {databases: [{type: postgres, service: db, database: d, user: u}]}",
            f"`backup.databases` works on one: {ELSEWHERE}",
        ),
        (
            "verify: [{type: isolation, name: i}]",
            f"a check of type `isolation` works on one: {ELSEWHERE}",
        ),
        (
            "provision: [{type: postgres, service: db, databases: {d: {user: u, password_env: P}}}]",
            f"`provision` works on one: {ELSEWHERE}",
        ),
        (
            "migration: {tool: alembic, service: backend, policy: forward-only}",
            ("a migration in production is preceded by a backup, which works on one host: save the database "
            "where it is, and set `backup.enabled: false` here"),
        ),
    ],
)
def test_what_works_on_one_host_only_is_refused(mistakes: Ask, more: str, wrong: str) -> None:
    found = mistakes(TEXT.replace("    compose: {", f"    {more}\n    compose: {{"))
    assert any(line.endswith(f"production has 2 hosts, and {wrong}") for line in found), found


def test_the_process_target_has_one_host(mistakes: Ask) -> None:
    process = "target: process\n    process: {services: {backend: {command: [x]}}}"
    text = TEXT.replace("target: compose", process).replace("    compose: {source: shop}\n", "")
    assert 'the target "process" works on one local host, and production has 2 hosts' in mistakes(text)[0]


def test_what_the_stack_does_not_mention_is_refused_when_it_is_asked_for() -> None:
    text = TEXT.replace("    environments: {production: {}}\n", "    backup: {enabled: true}\n")
    loaded = load(text, name="deploy.yml")
    with pytest.raises(ConfigFault, match=r"`backup.enabled` works on one"):
        resolve(loaded, "shop", "production", "/repo")
