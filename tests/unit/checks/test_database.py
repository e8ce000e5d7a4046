from typing import Any

import pytest

from ci_lib.checks.database import SSL_REQUEST, STARTUP
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.ports.protocols import Ran, TimedOut
from tests.unit.checks.places import Place

GREETING = b"\x4a\x00\x00\x00\x0a8.0.36\0"
AUTHENTICATION = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"


def error(state: str) -> bytes:
    fields = b"SFATAL\0VFATAL\0C" + state.encode() + b"\0Mwords\0\0"
    return b"E" + (4 + len(fields)).to_bytes(4, "big") + fields


def postgres(*answers: Any) -> CheckResult:
    place = Place()
    place.net.lines["127.0.0.1", 5432] = list(answers)
    return place.run(type="postgres", start="runner")


def mysql(answer: Any) -> CheckResult:
    place = Place()
    place.net.lines["127.0.0.1", 3306] = answer
    return place.run(type="mysql", start="runner")


def test_the_bytes_sent_to_postgres_are_those_of_its_protocol() -> None:
    place = Place()
    place.net.lines["127.0.0.1", 5432] = [b"N", AUTHENTICATION]
    assert place.run(type="postgres", start="runner").mark is Mark.PASSED
    assert SSL_REQUEST == b"\0\0\0\x08\x04\xd2\x16\x2f"
    assert STARTUP[:8] == len(STARTUP).to_bytes(4, "big") + b"\0\x03\0\0"
    assert [sent for _, _, sent in place.net.talks] == [SSL_REQUEST, STARTUP]


@pytest.mark.parametrize("first", [b"S", b"N"])
@pytest.mark.parametrize("second", [AUTHENTICATION, error("28000"), error("3D000")])
def test_postgres_that_judges_its_clients_takes_clients(first: bytes, second: bytes) -> None:
    result = postgres(first, second)
    assert (result.mark, result.value, result.bound) == (
        Mark.PASSED,
        "takes clients",
        "PostgreSQL takes clients",
    )


def test_postgres_that_is_still_starting_fails_although_it_answers() -> None:
    result = postgres(b"N", error("57P03"))
    assert (result.mark, result.value) == (
        Mark.FAILED,
        "is starting, stopping or recovering (57P03)",
    )


@pytest.mark.parametrize("first", [b"H", b"E", b"\x4a"])
def test_what_is_not_postgres_fails(first: bytes) -> None:
    result = postgres(first)
    assert (result.mark, result.value) == (Mark.FAILED, "the answer is not PostgreSQL's")


@pytest.mark.parametrize("second", [b"", b"X", b"E", b"E\0\0\0\x05\0", error("57P0")])
def test_postgres_without_a_usable_second_answer_fails(second: bytes) -> None:
    assert postgres(b"S", second).mark is Mark.FAILED


@pytest.mark.parametrize("check", [postgres, mysql])
def test_a_connection_closed_without_a_word_fails(check: Any) -> None:
    result = check(b"")
    assert (result.mark, result.value) == (
        Mark.FAILED,
        "nobody answers: the connection was closed without a word",
    )


def test_silence_fails() -> None:
    assert mysql(TimedOut("no answer within 5 s")).mark is Mark.FAILED


def test_mysql_that_greets_takes_clients() -> None:
    assert (mysql(GREETING).mark, mysql(GREETING).bound) == (Mark.PASSED, "MySQL takes clients")


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"\x17\x00\x00\x00\xff\x10\x04Too many", "takes no clients: error 1040"),
        (b"\x4a\x00\x00\x00\x0911111", "the answer is not MySQL's (protocol version 9)"),
        (b"HTTP/1.1 400", "the answer is not MySQL's"),
        (b"\x01\x00\x00\x00\x0a", "the answer is not MySQL's"),
    ],
)
def test_what_is_no_mysql_greeting_fails(answer: bytes, value: str) -> None:
    assert (mysql(answer).mark, mysql(answer).value) == (Mark.FAILED, value)


def test_from_the_host_it_goes_through_a_forward_to_the_given_port() -> None:
    place = Place()
    place.net.lines["127.0.0.1", 23307] = GREETING
    assert place.run(type="mysql", start="host", address="db.internal", port=3307).mark is Mark.PASSED
    assert place.host.forwards == [("db.internal", 3307)]


def test_in_the_container_pg_isready_asks_over_tcp() -> None:
    place = Place()
    place.containers.commands["db", "pg_isready"] = Ran(code=0, stdout="accepting connections")
    assert place.run(type="postgres", service="db", timeout="3s").mark is Mark.PASSED
    assert place.containers.calls == [
        ("db", ("pg_isready", "-h", "127.0.0.1", "-p", "5432", "-t", "3"), 3.0)
    ]


def test_what_pg_isready_says_is_told() -> None:
    place = Place()
    words = "127.0.0.1:5432 - rejecting connections"
    place.containers.commands["db", "pg_isready"] = Ran(code=1, stdout=f"{words}\n")
    result = place.run(type="postgres", service="db")
    assert (result.mark, result.value) == (Mark.FAILED, words)


def test_in_the_container_mysqladmin_stands_in_where_mariadb_admin_is_not_there() -> None:
    place = Place()
    place.containers.commands["db", "mysqladmin"] = Ran(code=0, stdout="mysqld is alive")
    assert place.run(type="mysql", service="db").mark is Mark.PASSED
    assert [argv[0] for _, argv, _ in place.containers.calls] == ["mariadb-admin", "mysqladmin"]
    assert "--protocol=tcp" in place.containers.calls[1][1]


def test_a_container_without_any_tool_fails() -> None:
    result = Place().run(type="mysql", service="db")
    assert (result.mark, result.value) == (
        Mark.FAILED,
        "cannot be decided: db has no mariadb-admin nor mysqladmin",
    )
