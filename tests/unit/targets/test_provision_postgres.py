"""What a PostgreSQL must change, as data: its state in, SQL out."""

import json
from typing import Any

import pytest

from ci_lib.config.provision import PostgresServer
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.databases.postgres import Postgres
from ci_lib.targets.compose.databases.postgres_changes import (
    changes_of,
    identifier,
    literal,
    others,
    schema_changes,
)
from ci_lib.targets.compose.databases.scram import fits, verifier

SERVER = PostgresServer(
    type="postgres",
    service="db",
    databases={
        "shop-db": {"user": "shop", "password_env": "SHOP"},
        "crm_db": {"user": "crm", "password_env": "CRM"},
    },
)
PASSWORDS = {"shop": "sh'op", "crm": "crm"}
BARE = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def role(password: str, **more: Any) -> dict[str, Any]:
    flags = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls", "expired")
    found = dict.fromkeys(flags, False) | {"rolcanlogin": True, "member_of": []}
    return found | {"verifier": verifier(password) if password else ""} | more


def database(owner: str, *rights: tuple[str, str]) -> dict[str, Any]:
    own = [[owner, right] for right in ("CONNECT", "CREATE", "TEMPORARY")]
    return {"owner": owner, "rights": [*own, *map(list, rights)]}


def state() -> dict[str, Any]:
    """A server on which nothing is left to do."""
    return {
        "roles": {
            "postgres": role("", rolsuper=True),
            "shop": role("sh'op"),
            "crm": role("crm"),
        },
        "databases": {
            "postgres": database("postgres"),
            "template0": database("postgres", ("", "CONNECT")),
            "template1": database("postgres"),
            "shop-db": database("shop"),
            "crm_db": database("crm"),
        },
    }


def changes(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.database, one.what, one.sql) for one in changes_of(SERVER, found, PASSWORDS)]


def test_where_everything_is_as_it_should_be_nothing_changes() -> None:
    assert changes(state()) == []
    assert list(others(SERVER, state())) == []


def test_on_an_empty_server_users_and_databases_are_made_shut() -> None:
    found = state()
    for name in ("shop", "crm"):
        del found["roles"][name]
    del found["databases"]["shop-db"], found["databases"]["crm_db"]
    made = changes(found)
    assert [(where, what) for where, what, _ in made] == [
        ("shop-db", "user shop created"),
        ("shop-db", "database created"),
        ("crm_db", "user crm created"),
        ("crm_db", "database created"),
    ]
    head, stored = made[0][2].removesuffix("';").split(" PASSWORD '")
    assert head == f'CREATE ROLE "shop" {BARE}'
    assert fits(stored, "sh'op")
    assert made[1][2] == (
        'CREATE DATABASE "shop-db" OWNER "shop"; REVOKE ALL ON DATABASE "shop-db" FROM PUBLIC;'
    )
    assert not any("sh'op" in sql or "sh''op" in sql for *_, sql in made)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("rolsuper", True, ("SUPERUSER taken from shop", f'ALTER ROLE "shop" {BARE};')),
        ("rolbypassrls", True, ("BYPASSRLS taken from shop", f'ALTER ROLE "shop" {BARE};')),
        ("rolcanlogin", False, ("shop may log in again", 'ALTER ROLE "shop" LOGIN;')),
        (
            "expired",
            True,
            ("the password of shop does not expire any more", "ALTER ROLE \"shop\" VALID UNTIL 'infinity';"),
        ),
        (
            "member_of",
            [['a"b', "postgres"]],
            ('shop taken out of a"b', 'REVOKE "a""b" FROM "shop" GRANTED BY "postgres" CASCADE;'),
        ),
        (
            "member_of",
            [["crm", None]],
            ("shop taken out of crm", 'REVOKE "crm" FROM "shop" CASCADE;'),
        ),
    ],
)
def test_what_a_user_may_too_much_or_too_little_is_set_right(
    key: str, value: object, expected: tuple[str, str]
) -> None:
    found = state()
    found["roles"]["shop"][key] = value
    assert changes(found) == [("shop-db", *expected)]


@pytest.mark.parametrize("stored", ["", "md5" + "0" * 32, verifier("another")])
def test_a_password_that_is_not_the_one_is_set_anew(stored: str) -> None:
    found = state()
    found["roles"]["crm"]["verifier"] = stored
    ((where, what, sql),) = changes(found)
    assert (where, what) == ("crm_db", "the password of crm set anew")
    assert fits(sql.removeprefix("ALTER ROLE \"crm\" PASSWORD '").removesuffix("';"), "crm")


def test_a_database_of_somebody_else_and_rights_of_others_are_set_right() -> None:
    found = state()
    found["databases"]["shop-db"] = database("postgres", ("crm", "CONNECT"), ("", "TEMPORARY"))
    found["databases"]["crm_db"]["rights"] = [["crm", "CREATE"]]
    assert changes(found) == [
        ("shop-db", "given to shop, was postgres's", 'ALTER DATABASE "shop-db" OWNER TO "shop";'),
        ("shop-db", "everybody's rights taken away", 'REVOKE ALL ON DATABASE "shop-db" FROM PUBLIC;'),
        ("crm_db", "crm's own rights given back", 'GRANT ALL ON DATABASE "crm_db" TO "crm";'),
        ("crm_db", "rights of crm on shop-db taken away", (
            'REVOKE ALL ON DATABASE "shop-db" FROM "crm" CASCADE;'
        )),
    ]


def test_a_neighbour_that_owns_a_database_loses_it_and_not_its_rights_twice() -> None:
    found = state()
    found["databases"]["shop-db"] = database("crm")
    assert [what for _, what, _ in changes(found)] == ["given to shop, was crm's"]


def test_the_servers_own_databases_are_shut_and_whoever_logs_in_today_stays() -> None:
    found = state()
    found["databases"]["postgres"] = database("postgres", ("", "CONNECT"), ("knows", "CONNECT"))
    found["roles"] |= {
        "moni\"tor": role(""),
        "knows": role(""),
        "group": role("", rolcanlogin=False),
        "root": role("", rolsuper=True),
    }
    assert changes(found) == [
        ("", "everybody's right to connect to postgres taken away", (
            'BEGIN; GRANT CONNECT ON DATABASE "postgres" TO "moni""tor"; '
            'REVOKE CONNECT ON DATABASE "postgres" FROM PUBLIC; COMMIT;'
        )),
    ]


def test_a_server_without_a_database_postgres_of_its_own_is_fine() -> None:
    found = state()
    del found["databases"]["postgres"]
    assert changes(found) == []


def test_what_is_there_beside_is_named() -> None:
    found = state()
    found["databases"] |= {"legacy": database("old", ("", "CONNECT")), "archive": database("shop")}
    found["databases"]["crm_db"]["rights"] += [["backup", "CONNECT"]]
    found["roles"] |= {"old": role(""), "backup": role("")}
    assert changes(found) == []
    assert list(others(SERVER, found)) == [
        "databases that are not listed: archive, legacy",
        "users that are not listed: backup, old",
        "archive belongs to shop, beside its own database",
        "everybody may connect to legacy, every listed user too",
        "backup may connect to crm_db",
    ]


def test_the_schema_public_is_its_users_and_not_everybodys() -> None:
    assert list(schema_changes("crm_db", "crm", None)) == []
    assert list(schema_changes("crm_db", "crm", {"everybody": False, "own": True})) == []
    found = list(schema_changes("crm_db", "crm", {"everybody": True, "own": False}))
    assert [(one.within, one.sql) for one in found] == [
        ("crm_db", "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"),
        ("crm_db", 'GRANT USAGE, CREATE ON SCHEMA public TO "crm";'),
    ]


def test_names_of_others_cannot_leave_their_quotes() -> None:
    assert identifier('x"; DROP ROLE "a') == '"x""; DROP ROLE ""a"'
    assert literal("it's") == "'it''s'"


def test_sql_comes_by_standard_input_and_the_servers_log_is_told_to_be_silent() -> None:
    asked: list[tuple[tuple[str, ...], str]] = []

    def ask(argv: tuple[str, ...], text: str) -> Ran:
        asked.append((argv, text))
        return Ran(code=0, stdout=json.dumps(state()) if argv[-1] == "postgres" else "")

    assert Postgres(SERVER, ask, PASSWORDS).look().changes == ()
    assert [argv[-1] for argv, _ in asked] == ["postgres", "shop-db", "crm_db"]
    for argv, text in asked:
        assert argv[:3] == ("psql", "-X", "-w")
        assert "SELECT" not in " ".join(argv)
        assert text.startswith("SET log_statement = 'none'; SET log_min_duration_statement = -1;")


def test_what_the_server_says_against_it_is_told() -> None:
    server = Postgres(SERVER, lambda *_: Ran(code=2, stderr="psql: error: FATAL:  no\n"), PASSWORDS)
    with pytest.raises(StepFault, match=r"^db: psql: error: FATAL:  no$") as fault:
        server.look()
    assert fault.value.reason is Reason.PROVISION
    assert "must be a superuser" in fault.value.hint
