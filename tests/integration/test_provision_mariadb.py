"""Two services on one MariaDB: each has its own database, and rights on nothing else."""

from pathlib import Path

import pytest

from tests.integration.infra import NASTY, Infra, rows
from tests.lab.components import docker, wait_for

SERVER = {
    "type": "mysql",
    "service": "db",
    "password_env": "MARIADB_ROOT_PASSWORD",
    "databases": {
        # As a pattern, the first name means the second one too.
        "lark_db": {"user": "lark", "password_env": "LARK_DB_PASSWORD"},
        "larkxdb": {"user": "auth", "password_env": "AUTH_DB_PASSWORD"},
    },
}
ROOT = "of-the-administrator"
SERVICE = {
    "environment": {"MARIADB_ROOT_PASSWORD": ROOT, "WRONG": "not-it", "NOTED_FILE": "/tmp/noted"},
    # A server that writes down whatever it is told.
    "command": ["--general-log", "--general-log-file=/tmp/general.log"],
    "healthcheck": {
        "test": ["CMD", "mariadb-admin", "ping", "--protocol=tcp", "--host=127.0.0.1"],
        "interval": "1s",
        "retries": 60,
    },
}
UNCHANGED = ["lark_db: unchanged", "larkxdb: unchanged"]
APART = "2 users, each in its own database alone"


@pytest.fixture
def infra(tmp_path: Path, project: str, mariadb_image: str) -> Infra:
    return Infra(folder=tmp_path, project=project, image=mariadb_image, server=SERVER, service=SERVICE)


def sql(infra: Infra, text: str) -> str:
    """What the administrator gets for an answer."""
    return infra.inside("mariadb", "--user=root", f"--password={ROOT}", "--batch", f"--execute={text}")


def log_in(infra: Infra, user: str, database: str, password: str) -> str:
    """What a user gets for an answer over the network, or how it is refused."""
    tool = (
        *("docker", "exec", "--env", f"MYSQL_PWD={password}", infra.container),
        *("mariadb", "--no-defaults", "--protocol=tcp", f"--host={infra.address}"),
        *(f"--user={user}", f"--database={database}", "--skip-column-names"),
    )
    try:
        return docker(*tool[1:], "--execute=SELECT CURRENT_USER()").strip()
    except RuntimeError as refused:
        return str(refused)


def test_services_are_apart_a_second_time_changes_nothing_and_no_password_is_seen(infra: Infra) -> None:
    first = infra.provision()
    assert first.code == 0, first
    assert rows(first) == [
        "lark_db: user lark created; database created; all rights on its database given to lark",
        "larkxdb: user auth created; database created; all rights on its database given to auth",
    ]
    second = infra.provision()
    assert (second.code, rows(second)) == (0, UNCHANGED), second
    assert log_in(infra, "lark", "lark_db", NASTY) == "lark@%"
    assert "Access denied" in log_in(infra, "lark", "larkxdb", NASTY)
    assert "Access denied" in log_in(infra, "lark", "mysql", NASTY)
    assert "Access denied" in log_in(infra, "lark", "lark_db", "wrong")
    assert infra.verify() == (0, APART)

    everything = infra.written() + first.out + first.err + second.out + second.err
    log = infra.inside("cat", "/tmp/general.log")
    assert "CREATE TABLE deploy_actions_probe" in log
    for secret in (NASTY, "auth-of-the-neighbour", ROOT, "CREATE USER"):
        assert secret not in everything + log


def test_what_drifted_is_set_right_and_named(infra: Infra) -> None:
    assert infra.provision().code == 0
    for drift in (
        "GRANT SELECT, FILE ON *.* TO lark@'%' WITH GRANT OPTION",
        "GRANT ALL ON `lark_db`.* TO lark@'%'",  # with the pattern that means larkxdb as well
        "CREATE TABLE larkxdb.bills (one INT); GRANT SELECT (one) ON larkxdb.bills TO lark@'%'",
        "CREATE ROLE readers; GRANT readers TO lark@'%'; SET DEFAULT ROLE readers FOR lark@'%'",
        "REVOKE ALL ON larkxdb.* FROM auth@'%'; ALTER USER auth@'%' IDENTIFIED BY 'somebody else'",
        "CREATE DATABASE legacy; CREATE USER monitor@'%'; CREATE USER auth@'10.0.0.9'",
    ):
        sql(infra, drift)
    mended = infra.provision()
    assert mended.code == 0, mended
    assert rows(mended) == [
        (
            "lark_db: lark taken out of `readers`; taken from lark: SELECT, FILE ON *.* WITH GRANT OPTION, "
            "ALL PRIVILEGES ON `lark_db`.*, SELECT (`one`) ON `larkxdb`.`bills`"
        ),
        "larkxdb: the password of auth set anew; all rights on its database given to auth",
        "databases that are not listed: legacy",
        "users that are not listed: monitor",
        "auth may also come in from 10.0.0.9, with rights and a password of its own there",
    ]
    assert rows(infra.provision())[:2] == UNCHANGED
    assert infra.verify() == (0, APART)


def test_the_check_tells_what_keeps_services_from_being_apart(infra: Infra) -> None:
    assert "auth cannot work in larkxdb: ERROR 1045" in infra.verify()[1]
    assert infra.provision().code == 0
    sql(infra, "CREATE TABLE larkxdb.bills (one INT); GRANT ALL ON `lark_db`.* TO lark@'%'")
    assert infra.verify() == (4, "lark gets into larkxdb, and sees 1 tables there")


def test_whoever_cannot_do_it_says_why(infra: Infra) -> None:
    infra.write(password_env="WRONG")
    wrong = infra.provision()
    assert (wrong.code, wrong.result["reason_code"]) == (3, "provision"), wrong
    assert "Access denied for user 'root'" in wrong.result["failure"]["cause"]
    infra.write(password_env="NOT_THERE")
    missing = infra.provision()
    assert (missing.code, missing.result["reason_code"]) == (3, "provision"), missing
    assert "neither NOT_THERE nor a readable NOT_THERE_FILE" in missing.result["failure"]["cause"]
    infra.inside("sh", "-c", "printf of-the-administrator > /tmp/noted")
    infra.write(password_env="NOTED")
    assert rows(infra.provision()) != UNCHANGED
    infra.write()
    docker("stop", infra.container)
    down = infra.provision()
    assert (down.code, down.result["failure"]["cause"]) == (3, "db: no container of db runs"), down
    docker("start", infra.container)
    wait_for(lambda: infra.provision().code == 0, "the server")
    assert rows(infra.provision()) == UNCHANGED
