"""Rules for `provision:`."""

from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve

Ask = Callable[[str], list[str]]

PROVISION = """\
    provision:
      - type: postgres
        service: db
        databases:
          shop_db: {user: shop, password_env: SHOP}
          crm_db: {user: crm, password_env: CRM}
      - type: mysql
        service: maria
        password_env: MARIADB_ROOT_PASSWORD
        databases:
          blog: {user: blog, password_env: BLOG}
    checks:
      - {name: neighbours, type: isolation}
"""
AT = "stacks.shop.provision"


def test_servers_are_read_with_their_defaults(good: str, mistakes: Ask) -> None:
    assert mistakes(good + PROVISION) == []
    made = resolve(load(good + PROVISION, name="deploy.yml"), "shop", "staging", "/checkout")
    assert [(one.type, one.user) for one in made.settings.provision] == [
        ("postgres", "postgres"),
        ("mysql", "root"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "crm_db: {user: crm,",
            "crm_db: {user: shop,",
            (
                '[0].databases.crm_db.user: "shop" has database "shop_db" already: '
                "each database needs a user of its own"
            ),
        ),
        (
            "{user: crm,",
            "{user: postgres,",
            (
                '[0].databases.crm_db.user: "postgres" is the server\'s administrator: '
                "give the service a user of its own"
            ),
        ),
        (
            "{user: blog,",
            "{user: root,",
            (
                '[1].databases.blog.user: "root" is the server\'s administrator: '
                "give the service a user of its own"
            ),
        ),
        (
            "{user: crm,",
            "{user: pg_monitor,",
            '[0].databases.crm_db.user: "pg_monitor" is reserved by the server: choose another name',
        ),
        (
            "{user: blog,",
            "{user: PUBLIC,",
            '[1].databases.blog.user: "PUBLIC" is reserved by the server: choose another name',
        ),
        (
            "{user: blog,",
            "{user: " + "b" * 33 + ",",
            "[1].databases.blog.user: is longer than 32 characters",
        ),
        (
            "crm_db:",
            "template1:",
            "[0].databases.template1: belongs to the server itself: give the service a database of its own",
        ),
        (
            "blog: {",
            "MySQL: {",
            "[1].databases.MySQL: belongs to the server itself: give the service a database of its own",
        ),
        (
            "crm_db:",
            "c" * 64 + ":",
            '[0].databases."' + "c" * 59 + '…": is longer than 63 characters',
        ),
        (
            "password_env: CRM",
            "password_env: SHOP",
            (
                '[0].databases.crm_db.password_env: is the password of "shop" already: '
                "each user needs one of its own"
            ),
        ),
        (
            "service: maria",
            "service: db",
            '[1].service: "db" is listed already: keep its databases together',
        ),
    ],
)
def test_a_rule_that_is_broken_is_told_in_a_sentence(
    good: str, mistakes: Ask, old: str, new: str, message: str
) -> None:
    text = good + PROVISION
    assert text.count(old) == 1
    (found,) = mistakes(text.replace(old, new))
    assert found.split(": ", 1)[1] == AT + message


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a;b", "a b", "-a", "a`b", "é"])
def test_a_name_that_needs_an_escape_is_refused(good: str, mistakes: Ask, name: str) -> None:
    for key in ("crm_db:", "user: crm"):
        new = key.replace("crm_db" if "_db" in key else "crm", "'" + name.replace("'", "''") + "'")
        assert mistakes((good + PROVISION).replace(key, new)) != []


def test_the_check_needs_servers_wherever_it_runs(good: str, mistakes: Ask) -> None:
    check = "    checks:\n      - {name: neighbours, type: isolation}\n"
    assert [one.split(": ", 1)[1] for one in mistakes(good + check)] == [
        'stacks.shop.checks[0]: needs "provision": the servers and users whose isolation it looks at'
    ]


def test_a_target_without_containers_has_none_to_provision(good: str, mistakes: Ask) -> None:
    text = (good + PROVISION).replace("target: compose", "target: process")
    found = [one.split(": ", 1)[1] for one in mistakes(text)]
    assert f'{AT}: works in containers, and the target "process" has none' in found
    assert 'stacks.shop.checks[0]: looks into a container, and the target "process" has none' in found
