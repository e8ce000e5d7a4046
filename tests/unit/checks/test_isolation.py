"""The isolation check: what users got for an answer, and what that means."""

from typing import Any

import pytest

from ci_lib.config.provision import MysqlServer, PostgresServer
from ci_lib.domain.outcome import Mark
from ci_lib.ports.protocols import Ran
from tests.unit.checks.places import Place

DATABASES = {
    "shop_db": {"user": "shop", "password_env": "SHOP"},
    "crm_db": {"user": "crm", "password_env": "CRM"},
}
SERVER = PostgresServer(type="postgres", service="db", databases=DATABASES)


def answers(*, other: str = "/crm_db", **more: str) -> Ran:
    """What the script prints when everything is well, but for `more`: attempt → the rest of its line."""
    lines = {"own": "0\t", "wrong-password": "2\tno", other: "2\tno", "still": "0\t7"}
    lines |= {name.replace("_password", "-password"): rest for name, rest in more.items()}
    return Ran(code=0, stdout="".join(f"{what}\t{rest}\n" for what, rest in lines.items() if rest))


class Containers:
    """A container whose script answers each user in its own way."""

    def __init__(self, answers: dict[str, Ran]) -> None:
        self.answers = answers
        self.calls: list[tuple[tuple[str, ...], bytes]] = []

    def address(self, service: str) -> str:
        return "172.20.0.2"

    def exec(self, service: str, argv: tuple[str, ...], *, timeout: float, stdin: bytes = b"") -> Ran:
        self.calls.append((argv, stdin))
        return self.answers[argv[5]]


def place(shop: Ran, server: Any = SERVER) -> Place:
    found = Place(servers=(server,), secrets={"SHOP": "sh'op\\ $x é", "CRM": "crm"})
    found.containers = Containers({"shop": shop, "crm": answers(other="/shop_db")})
    return found


def test_users_that_get_into_their_own_database_alone_pass() -> None:
    here = place(answers())
    result = here.run(type="isolation")
    assert (result.mark, result.value) == (Mark.PASSED, "2 users, each in its own database alone")
    assert result.value == result.bound


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_password_is_on_standard_input_and_in_no_argument(kind: str) -> None:
    server = (
        SERVER
        if kind == "postgres"
        else MysqlServer(type="mysql", service="db", password_env="ROOT", databases=DATABASES)
    )
    here = place(answers(), server)
    assert here.run(type="isolation").mark is Mark.PASSED
    (argv, given), _ = here.containers.calls
    assert given == "sh'op\\ $x é\n".encode()
    assert argv[4:7] == ("172.20.0.2", "shop", "shop_db")
    assert argv[-1] == "crm_db"
    assert not any("sh'op" in word for word in argv)
    assert ("psql" in argv[2]) == (kind == "postgres")


@pytest.mark.parametrize(
    ("shop", "value"),
    [
        (answers(own="2\tno such role"), "shop cannot work in shop_db: no such role"),
        # It was there, and is not any more: the neighbour's refusal says nothing.
        (answers(still="2\tgone"), "shop cannot work in shop_db: gone"),
        (answers(wrong_password="0\t"), "db takes shop with a wrong password"),
        (answers(**{"/crm_db": "0\t3"}), "shop gets into crm_db, and sees 3 tables there"),
        (answers(still=""), "cannot be decided: the attempts of shop ended early: "),
        (Ran(code=91), "cannot be decided: db has no client of its own"),
        (Ran(code=1, stderr="no such container"), "cannot be decided: the attempts of shop ended early: no"),
    ],
)
def test_everything_else_fails_and_says_why(shop: Ran, value: str) -> None:
    result = place(shop).run(type="isolation")
    assert result.mark is Mark.FAILED
    assert result.value.startswith(value)


def test_users_of_one_name_on_two_servers_have_a_password_each() -> None:
    other = {"shop_db": {"user": "shop", "password_env": "OTHER"}}
    second = PostgresServer(type="postgres", service="db2", databases=other)
    here = Place(servers=(SERVER, second), secrets={"SHOP": "one", "CRM": "crm", "OTHER": "two"})
    here.containers = Containers({"shop": answers(), "crm": answers(other="/shop_db")})
    here.run(type="isolation")
    assert [given for _, given in here.containers.calls] == [b"one\n", b"crm\n", b"two\n"]


def test_every_objection_is_told() -> None:
    here = place(answers(**{"/crm_db": "0\t3"}))
    here.containers.answers["crm"] = answers(other="/shop_db", wrong_password="0\t")
    assert here.run(type="isolation").value == (
        "shop gets into crm_db, and sees 3 tables there; db takes crm with a wrong password"
    )


def test_without_a_password_nothing_is_decided() -> None:
    here = place(answers())
    del here.secrets["CRM"]
    result = here.run(type="isolation")
    assert (result.mark, result.value) == (Mark.FAILED, "the environment variable CRM is not set")
    assert here.containers.calls == []


def test_a_server_that_does_not_run_is_not_passed() -> None:
    result = Place(servers=(SERVER,), secrets={"SHOP": "a", "CRM": "b"}).run(type="isolation")
    assert (result.mark, result.value) == (Mark.FAILED, "no container of db runs")
