"""Looking, changing and looking again, and the passwords for it."""

from dataclasses import dataclass, field

import pytest

from ci_lib.config.provision import PostgresServer
from ci_lib.domain.errors import ConfigFault, StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.targets.compose.databases.provision import passwords_of, settle
from ci_lib.targets.compose.databases.server import Change, Found


def change(database: str, what: str) -> Change:
    return Change(database=database, what=what, sql="…")


@dataclass
class FakeServer:
    """What has to change on each look, the last for ever; `refused` is what cannot be changed."""

    looks: list[list[Change]]
    refused: str = ""
    done: list[str] = field(default_factory=list)

    def look(self) -> Found:
        changes = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return Found(changes=tuple(changes), others=("users that are not listed: old",))

    def change(self, change: Change) -> None:
        if change.what == self.refused:
            raise StepFault(f"db: {change.what}: no", hint="set it right", reason=Reason.PROVISION)
        self.done.append(change.what)


NAMES = ("a", "b")


def test_where_nothing_has_to_change_every_database_is_told_as_unchanged() -> None:
    server = FakeServer([[]])
    assert settle(server, "db", NAMES) == (
        "db/a: unchanged",
        "db/b: unchanged",
        "db: users that are not listed: old",
    )
    assert server.done == []


def test_what_comes_to_light_by_a_change_is_changed_too() -> None:
    server = FakeServer([[change("a", "one"), change("", "all")], [change("a", "two")], []])
    assert settle(server, "db", NAMES)[:3] == ("db/a: one; two", "db/b: unchanged", "db: all")


def test_a_change_that_fails_tells_what_was_done_before() -> None:
    server = FakeServer([[change("a", "one"), change("b", "two")]], refused="two")
    with pytest.raises(StepFault) as fault:
        settle(server, "db", NAMES)
    assert (fault.value.message, fault.value.hint) == ("db: two: no (done before: db/a: one)", "set it right")
    assert fault.value.reason is Reason.PROVISION


def test_a_change_that_does_not_last_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(StepFault, match="it does not last: one") as fault:
        settle(FakeServer([[change("a", "one")]]), "db", NAMES)
    assert fault.value.reason is Reason.PROVISION


SERVER = PostgresServer(
    type="postgres",
    service="db",
    databases={
        "a": {"user": "ann", "password_env": "ANN"},
        "b": {"user": "bob", "password_env": "BOB"},
    },
)


def test_each_user_has_the_password_of_its_variable() -> None:
    given = {"ANN": "x'\\\t$é", "BOB": "y"}
    assert passwords_of(SERVER, given.__getitem__) == {"ann": "x'\\\t$é", "bob": "y"}


@pytest.mark.parametrize("password", ["two\nlines", "ends\n", "carriage\r", "nul\0"])
def test_a_password_with_a_line_break_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(ConfigFault, match="the password in ANN has a line break") as fault:
        passwords_of(SERVER, {"ANN": password, "BOB": "y"}.__getitem__)
    assert password not in fault.value.message + fault.value.hint


def test_one_password_for_two_users_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigFault, match="ANN and BOB hold the same password") as fault:
        passwords_of(SERVER, {"ANN": "s3cret", "BOB": "s3cret"}.__getitem__)
    assert "s3cret" not in fault.value.message + fault.value.hint
