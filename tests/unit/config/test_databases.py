"""The databases of a backup: their shapes, and the rules between them."""

from collections.abc import Callable

import pytest

Ask = Callable[[str], list[str]]

SERVICE = "type: service, service: dump, folder: backups"
WITH_TARGET = "{source: shop}"


def asked(good: str, mistakes: Ask, databases: str, more: str = "") -> list[str]:
    text = good.replace(WITH_TARGET, f"{WITH_TARGET}\n    backup: {{databases: [{databases}]}}{more}")
    assert text != good
    return [line.partition(": stacks.shop.")[2] for line in mistakes(text)]


@pytest.mark.parametrize(
    "database",
    [
        "{type: postgres, service: db}",
        "{type: mysql, service: db, database: shop, password_env: ROOT_PASSWORD}",
        f"{{{SERVICE}}}",
        f"{{{SERVICE}, restore: {{service: load, variable: FILE, folder: /backups}}}}",
        f"{{{SERVICE}, files: [ops.yml], test: {{engine: mysql, service: db}}}}",
    ],
)
def test_each_type_is_taken(good: str, mistakes: Ask, database: str) -> None:
    assert asked(good, mistakes, database) == []


@pytest.mark.parametrize(
    ("databases", "message"),
    [
        (
            "{type: mysql, service: db, database: shop, password_env: hunter-2}",
            'password_env: "hunter-2" does not fit',
        ),
        ("{type: mysql, service: db, database: 'a`b', password_env: P}", "database:"),
        ("{type: postgres, service: db, database: --help}", "database:"),
        ("{type: oracle, service: db}", 'type: "oracle" is not one of postgres, mysql, service'),
        (
            "{type: postgres, service: db, database: a}, {type: postgres, service: db, database: a}",
            'backup.databases[1]: "db/a" is saved already',
        ),
        (
            "{type: postgres, service: db, database: a-b}, {type: postgres, service: db-a, database: b}",
            'backup.databases[1]: another one is saved as "db-a-b.dump", too',
        ),
        (
            "{type: service, service: dump, folder: ../x}",
            'backup.databases[0].folder: "../x" must be a path inside "run_dir"',
        ),
        (
            "{type: service, service: dump, folder: .deploy-actions/x}",
            'backup.databases[0].folder: ".deploy-actions/x" must be a path inside "run_dir"',
        ),
        (
            f"{{{SERVICE}, files: [/etc/x.yml]}}",
            'backup.databases[0].files[0]: "/etc/x.yml" must be a path inside "source"',
        ),
        (
            f"{{{SERVICE}, restore: {{service: load, variable: FILE, folder: backups}}}}",
            'backup.databases[0].restore.folder: "backups" must be an absolute path in the container',
        ),
    ],
)
def test_what_does_not_fit_is_told(good: str, mistakes: Ask, databases: str, message: str) -> None:
    (told,) = asked(good, mistakes, databases)
    assert message in told


def test_a_restore_test_needs_databases_and_containers(good: str, mistakes: Ask) -> None:
    check = "\n    verify: [{name: backup restores, type: restore_test}]"
    assert asked(good, mistakes, "", check) == ['verify[0]: needs "databases" under "backup"']
    assert asked(good, mistakes, "{type: postgres, service: db}", check) == []
