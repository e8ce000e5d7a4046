"""Two services on one PostgreSQL: each has its own database, and rights on nothing else."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.infra import NASTY, Infra, rows
from tests.lab.components import Sshd, docker, wait_for

SERVER = {
    "type": "postgres",
    "service": "db",
    "databases": {
        "lark_service_db": {"user": "lark", "password_env": "LARK_DB_PASSWORD"},
        "auth-db": {"user": "auth", "password_env": "AUTH_DB_PASSWORD"},
    },
}
SERVICE = {
    "environment": {"POSTGRES_PASSWORD": "of-the-superuser"},
    # A server that writes down whatever it is told.
    "command": ["-c", "log_statement=all", "-c", "log_min_duration_statement=0"],
    "healthcheck": {
        "test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"],
        "interval": "1s",
        "retries": 30,
    },
}
UNCHANGED = ["lark_service_db: unchanged", "auth-db: unchanged"]
APART = "2 users, each in its own database alone"


@pytest.fixture
def remote(tmp_path: Path, project: str, postgres_image: str, sshd: Sshd) -> Infra:
    """The same server on a host behind SSH."""
    infra = Infra(
        folder=tmp_path,
        project=project,
        image=postgres_image,
        server=SERVER,
        service=SERVICE,
        host={
            "ssh": f"{sshd.user}@{sshd.host}:{sshd.port}",
            "known_hosts": str(sshd.known_hosts),
            "key_env": "DEPLOY_KEY",
        },
    )
    infra.secrets |= {"DEPLOY_KEY": sshd.private_key.read_text(), "SSH_AUTH_SOCK": ""}
    return infra


@pytest.fixture
def infra(tmp_path: Path, project: str, postgres_image: str) -> Infra:
    return Infra(folder=tmp_path, project=project, image=postgres_image, server=SERVER, service=SERVICE)


def sql(infra: Infra, text: str, database: str = "postgres") -> str:
    """What the superuser gets for an answer."""
    tool = ("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database)
    return infra.inside(*tool, "-c", text)


def log_in(infra: Infra, user: str, database: str, password: str) -> subprocess.CompletedProcess[str]:
    """Log in from this machine, as a service does from another container."""
    argv = ["psql", "-X", "-w", "-A", "-t", "-h", infra.address, "-U", user, "-d", database]
    env = {**os.environ, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}
    return subprocess.run([*argv, "-c", "SELECT current_user"], capture_output=True, text=True, env=env)


@contextmanager
def nobody_can_copy(infra: Infra) -> Iterator[None]:
    """Somebody is connected to `template1`: CREATE DATABASE waits some seconds and fails."""
    argv = ["docker", "exec", infra.container, "psql", "-U", "postgres", "-d", "template1"]
    holder = subprocess.Popen([*argv, "-c", "SELECT pg_sleep(600)"], stdout=subprocess.DEVNULL)
    there = "SELECT pid FROM pg_stat_activity WHERE datname = 'template1'"
    try:
        wait_for(lambda: sql(infra, there) != "", "the connection to template1")
        yield
    finally:
        sql(infra, f"SELECT pg_terminate_backend(pid) FROM ({there}) AS t")
        holder.wait(10)


def test_services_are_apart_a_second_time_changes_nothing_and_no_password_is_seen(remote: Infra) -> None:
    infra = remote
    first = infra.provision()
    assert (first.code, first.status, first.result["verb"]) == (0, "passed", "provision"), first
    assert rows(first) == [
        "lark_service_db: user lark created; database created",
        "auth-db: user auth created; database created",
        (
            "everybody's right to connect to postgres taken away; "
            "everybody's right to connect to template1 taken away"
        ),
    ]
    second = infra.provision()
    assert (second.code, rows(second)) == (0, UNCHANGED), second

    assert log_in(infra, "lark", "lark_service_db", NASTY).stdout == "lark\n"
    for database, password in (("auth-db", NASTY), ("postgres", NASTY), ("template1", NASTY)):
        assert "permission denied" in log_in(infra, "lark", database, password).stderr
    assert "authentication failed" in log_in(infra, "lark", "lark_service_db", "wrong").stderr
    assert infra.verify() == (0, APART)

    history = infra.call("history").result
    assert [body["type"] for body in history if body["status"] == "passed"].count("provision") == 2
    everything = infra.written() + infra.server_log() + first.out + first.err + second.out + second.err
    assert "SELECT json_build_object" not in infra.server_log()
    for secret in (NASTY, "auth-of-the-neighbour", "SCRAM-SHA-256$"):
        assert secret not in everything


def test_what_drifted_is_set_right_and_named_and_others_do_not_notice(infra: Infra) -> None:
    assert infra.provision().code == 0
    for drift in (
        "ALTER ROLE lark SUPERUSER CREATEDB NOLOGIN",
        "CREATE ROLE readers; GRANT readers TO lark WITH ADMIN OPTION; GRANT auth TO lark",
        "ALTER ROLE auth PASSWORD 'somebody-else' VALID UNTIL '2020-01-01'",
        'ALTER DATABASE "auth-db" OWNER TO postgres; GRANT CONNECT ON DATABASE "auth-db" TO lark, PUBLIC',
        "CREATE ROLE monitor LOGIN PASSWORD 'monitor'",
        "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
    ):
        sql(infra, drift)
    sql(infra, "CREATE DATABASE legacy")
    sql(infra, "GRANT CREATE ON DATABASE legacy TO lark")
    sql(infra, "GRANT CREATE ON SCHEMA public TO PUBLIC", "lark_service_db")
    sql(infra, "ALTER SCHEMA public OWNER TO postgres", "auth-db")

    mended = infra.provision()
    assert mended.code == 0, mended
    assert rows(mended) == [
        (
            "lark_service_db: SUPERUSER, CREATEDB taken from lark; lark taken out of readers; "
            "lark taken out of auth; rights of lark on auth-db taken away; rights of lark on legacy taken "
            "away; everybody's right to create in schema public taken away"
        ),
        (
            "auth-db: the password of auth does not expire any more; the password of auth set anew; "
            "given to auth, was postgres's; everybody's rights taken away; schema public opened to auth"
        ),
        "everybody's right to connect to postgres taken away",
        "databases that are not listed: legacy",
        "users that are not listed: monitor, readers",
        "everybody may connect to legacy, every listed user too",
    ]
    assert rows(infra.provision())[:2] == UNCHANGED
    assert infra.verify() == (0, APART)
    assert log_in(infra, "monitor", "postgres", "monitor").stdout == "monitor\n"

    infra.secrets["AUTH_DB_PASSWORD"] = "the next one"
    changed = infra.provision()
    assert rows(changed)[:2] == [UNCHANGED[0], "auth-db: the password of auth set anew"]
    assert log_in(infra, "auth", "auth-db", "the next one").stdout == "auth\n"
    assert log_in(infra, "auth", "auth-db", "auth-of-the-neighbour").returncode == 2


def test_the_check_tells_what_keeps_services_from_being_apart(infra: Infra) -> None:
    never = infra.verify()
    assert never[0] == 4
    assert "lark cannot work in lark_service_db: " in never[1]

    assert infra.provision().code == 0
    sql(infra, "CREATE TABLE bills (one int); GRANT SELECT ON bills TO auth", "lark_service_db")
    sql(infra, "GRANT CONNECT ON DATABASE lark_service_db TO auth")
    assert infra.verify() == (4, "auth gets into lark_service_db, and sees 1 tables there")
    sql(infra, "REVOKE CONNECT ON DATABASE lark_service_db FROM auth")
    assert infra.verify() == (0, APART)

    missing = infra.verify({"LARK_DB_PASSWORD": NASTY})
    assert missing == (4, "the environment variable AUTH_DB_PASSWORD is not set")

    infra.inside("sh", "-c", "sed -i 's/^host all all all .*/host all all all trust/' $PGDATA/pg_hba.conf")
    sql(infra, "SELECT pg_reload_conf()")
    wait_for(lambda: log_in(infra, "auth", "auth-db", "any").returncode == 0, "the new pg_hba.conf")
    assert infra.verify()[1].startswith("db takes lark with a wrong password; db takes auth with")


def test_a_run_that_ends_half_way_says_how_far_it_came_and_the_next_one_goes_on(infra: Infra) -> None:
    with nobody_can_copy(infra):
        failed = infra.provision()
        assert (failed.code, failed.result["reason_code"]) == (3, "provision"), failed
        cause = failed.result["failure"]["cause"]
        assert cause.startswith("db: lark_service_db: database created: ERROR:  source database")
        assert cause.endswith("(done before: db/lark_service_db: user lark created)")

        process = subprocess.Popen(
            infra.argv("database", "provision"), stdout=subprocess.DEVNULL, env=infra.environ()
        )
        waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%'"
        wait_for(lambda: sql(infra, waits) == "1\n", "the statement")
        process.kill()
        process.wait(10)

        infra.stack["limits"] = {"provision": "2s"}
        infra.write()
        late = infra.provision()
        assert (late.code, late.result["reason_code"]) == (3, "provision"), late
        assert "took longer than" in late.result["failure"]["cause"]
        assert "interrupted provision" in late.result["notes"][0]
    infra.stack.clear()
    infra.write()
    done = infra.provision()
    assert done.code == 0, done
    assert rows(infra.provision()) == UNCHANGED
    assert "what it had done stays, and another one goes on" in infra.written()


def test_whoever_cannot_do_it_says_why_and_changes_nothing(infra: Infra) -> None:
    before = sql(infra, "SELECT rolname FROM pg_roles; SELECT datname, datacl FROM pg_database")
    del infra.secrets["AUTH_DB_PASSWORD"]
    missing = infra.provision()
    assert (missing.code, missing.result["reason_code"]) == (2, "config"), missing
    infra.secrets["AUTH_DB_PASSWORD"] = "two\nlines"
    broken = infra.provision()
    assert (broken.code, "line break" in broken.result["failure"]["cause"]) == (2, True), broken
    infra.secrets["AUTH_DB_PASSWORD"] = "auth-of-the-neighbour"

    infra.write(user="nobody")
    stranger = infra.provision()
    assert (stranger.code, stranger.result["reason_code"]) == (3, "provision"), stranger
    assert 'role "nobody" does not exist' in stranger.result["failure"]["cause"]
    infra.write()
    assert sql(infra, "SELECT rolname FROM pg_roles; SELECT datname, datacl FROM pg_database") == before

    docker("stop", infra.container)
    down = infra.provision()
    assert (down.code, down.result["reason_code"]) == (3, "provision"), down
    assert down.result["failure"]["cause"] == "db: no container of db runs"
    docker("start", infra.container)
    wait_for(lambda: infra.provision().code == 0, "the server")
