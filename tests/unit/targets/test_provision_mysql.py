"""What a MariaDB or MySQL must change, as data: what it prints in, SQL out."""

import pytest

from ci_lib.config.provision import MysqlServer
from ci_lib.domain.errors import StepFault
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.databases.mysql import Mysql
from ci_lib.targets.compose.databases.mysql_changes import State, changes_of, grants_of, others, state_of
from ci_lib.targets.compose.databases.mysql_hashes import CACHING, NATIVE, caching, fits, native

SERVER = MysqlServer(
    type="mysql",
    service="db",
    password_env="MARIADB_ROOT_PASSWORD",
    databases={"shop_db": {"user": "shop", "password_env": "SHOP"}},
)
PASSWORDS = {"shop": "sh'op"}
HASH = native(b"sh'op")
OWN = "GRANT ALL PRIVILEGES ON `shop\\_db`.* TO `shop`@`%`"
NOTHING = f"GRANT USAGE ON *.* TO `shop`@`%` IDENTIFIED BY PASSWORD '{HASH}'"
GIVE = "GRANT ALL PRIVILEGES ON `shop\\_db`.* TO 'shop'@'%';"
TAKE = "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'shop'@'%';"


def state(*lines: str, mariadb: bool = True) -> State:
    """A server on which nothing is left to do, but for what `lines` add to the user's grants."""
    plugin, stored = (NATIVE, HASH.encode()) if mariadb else (CACHING, caching(b"sh'op"))
    return State(
        mariadb=mariadb,
        databases={"mysql", "shop_db"},
        users={("root", "%"): (NATIVE, b""), ("shop", "%"): (plugin, stored)},
        grants={"shop": [NOTHING, OWN, *lines]},
    )


def changes(found: State) -> list[tuple[str, str]]:
    return [(one.what, one.sql) for one in changes_of(SERVER, found, PASSWORDS)]


@pytest.mark.parametrize("mariadb", [True, False])
def test_where_everything_is_as_it_should_be_nothing_changes(mariadb: bool) -> None:
    assert changes(state(mariadb=mariadb)) == []
    assert list(others(SERVER, state(mariadb=mariadb))) == []


def test_on_an_empty_mariadb_user_database_and_right_are_made() -> None:
    assert changes(State(mariadb=True)) == [
        ("user shop created", f"CREATE USER 'shop'@'%' IDENTIFIED VIA {NATIVE} USING '{HASH}';"),
        ("database created", "CREATE DATABASE `shop_db` CHARACTER SET utf8mb4;"),
        ("all rights on its database given to shop", GIVE),
    ]


def test_on_an_empty_mysql_the_hash_is_the_one_that_mysql_keeps() -> None:
    what, sql = changes(State())[0]
    assert what == "user shop created"
    head, stored = sql.removesuffix("';").split(" AS '")
    assert head == "CREATE USER 'shop'@'%' IDENTIFIED WITH caching_sha2_password"
    assert fits(CACHING, stored.encode(), b"sh'op")


def test_another_password_is_set_anew() -> None:
    found = state()
    found.users["shop", "%"] = ("ed25519", b"whatever")
    assert changes(found) == [
        (
            "the password of shop set anew",
            f"ALTER USER 'shop'@'%' IDENTIFIED VIA {NATIVE} USING '{HASH}';",
        )
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("GRANT SELECT ON `crm`.* TO `shop`@`%`", "SELECT ON `crm`.*"),
        # Without the backslash it is a pattern, and means shopXdb too.
        ("GRANT ALL PRIVILEGES ON `shop_db`.* TO `shop`@`%`", "ALL PRIVILEGES ON `shop_db`.*"),
        (
            f"GRANT FILE ON *.* TO `shop`@`%` IDENTIFIED BY PASSWORD '{HASH}' WITH GRANT OPTION",
            "FILE ON *.* WITH GRANT OPTION",
        ),
        ("GRANT USAGE ON *.* TO `shop`@`%` WITH GRANT OPTION", "USAGE ON *.* WITH GRANT OPTION"),
        ("GRANT SELECT (`a`) ON `crm`.`x` TO 'shop'@'%'", "SELECT (`a`) ON `crm`.`x`"),
    ],
)
def test_whatever_is_too_much_is_taken_away_and_the_own_right_given_back(line: str, what: str) -> None:
    assert changes(state(line)) == [(f"taken from shop: {what}", f"{TAKE} {GIVE}")]
    assert HASH not in changes(state(line))[0][0]


def test_roles_are_taken_away_first() -> None:
    found = state("GRANT `a`@`%`,`b`@`%` TO `shop`@`%` WITH ADMIN OPTION", "GRANT FILE ON *.* TO `shop`@`%`")
    assert [sql for _, sql in changes(found)] == ["REVOKE `a`@`%`,`b`@`%` FROM 'shop'@'%';", f"{TAKE} {GIVE}"]


def test_a_lost_right_is_given_back() -> None:
    found = state()
    found.grants["shop"] = [NOTHING]
    assert changes(found) == [("all rights on its database given to shop", GIVE)]


def test_what_a_server_prints_is_read_with_its_escapes() -> None:
    found = state_of(
        "version\t10.11.6-MariaDB\n"
        f"user\tshop\t%\t{NATIVE}\t{HASH.encode().hex()}\n"
        "user\todd\\tname\tlocalhost\tunix_socket\tNULL\n"
        "database\ta\\\\b\n"
    )
    assert found.mariadb
    assert found.users["shop", "%"] == (NATIVE, HASH.encode())
    assert found.users["odd\tname", "localhost"] == ("unix_socket", b"")
    assert found.databases == {"a\\b"}
    assert state_of("version\t8.4.3\n").mariadb is False
    lines = OWN.replace("\\", "\\\\")
    grants = grants_of(f"of\tshop\n{lines}\nof\tcrm\nSET DEFAULT ROLE `r` FOR x\n")
    assert grants == {"shop": [OWN], "crm": []}


def test_what_is_there_beside_is_named() -> None:
    found = state()
    found.databases.add("legacy")
    found.users |= {("", "%"): (NATIVE, b""), ("shop", "localhost"): (NATIVE, b""), ("old", "%"): ("", b"")}
    assert list(others(SERVER, found)) == [
        "databases that are not listed: legacy",
        "users that are not listed: anonymous, old",
        "shop may also come in from localhost, with rights and a password of its own there",
    ]


def test_sql_comes_by_standard_input_and_a_hash_in_the_answer_is_hidden() -> None:
    asked: list[tuple[tuple[str, ...], str]] = []

    def ask(argv: tuple[str, ...], text: str) -> Ran:
        asked.append((argv, text))
        if "IDENTIFIED" in text:
            return Ran(code=1, stderr=f"ERROR 1064 (42000) at line 2: syntax near '{HASH}'\n")
        return Ran(code=0, stdout="version\t10.11.6-MariaDB\n")

    server = Mysql(SERVER, ask, PASSWORDS)
    first = server.look().changes[0]
    with pytest.raises(StepFault) as fault:
        server.change(first)
    assert fault.value.message == (
        "db: shop_db: user shop created: ERROR 1064 (42000) at line 2: syntax near '***'"
    )
    for argv, text in asked:
        assert argv[3:] == ("sh", "MARIADB_ROOT_PASSWORD", "root")
        assert HASH not in " ".join(argv)
        assert text.startswith("SET SESSION sql_log_off = 1;")
