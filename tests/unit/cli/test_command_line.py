"""The command line up to where the world begins: options, exit codes, requests."""

import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ci_lib.cli import forges, look
from ci_lib.cli.console import stack_of
from ci_lib.cli.dotenv import secrets_of
from ci_lib.cli.hosts import split_destination
from ci_lib.cli.main import cli, main
from ci_lib.cli.options import PREFIX, Kind, Where
from ci_lib.cli.table import ACTIONS, COMMANDS, GROUPS, TABLE, VERBS
from ci_lib.cli.verb import request_of
from ci_lib.config.load import load
from ci_lib.domain.errors import Cancelled, UsageFault
from ci_lib.domain.forge import RunState
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.forge.none import NoForge
from tests.contract.fake_target import DEPLOY_YML


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options that a command was called with; nothing runs."""
    values: dict[str, Any] = {}

    def run(found: dict[str, Any]) -> Exit:
        values.clear()
        values.update(found)
        return Exit.OK

    from ci_lib.cli import deploy, history, rollback

    for module in (deploy, history, rollback):
        monkeypatch.setattr(module, "run", run)
    return values


def call(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words), env=env or {})
    return result.exit_code, result.output


class TestTable:
    def test_every_verb_of_the_engine_and_every_command_has_a_module(self) -> None:
        assert [command.name for command in VERBS] == [
            *("lint-test", "build", "migrate", "deploy", "post-verify", "promote", "rollback"),
            *("take-down", "preflight", "backup", "restore", "restore-test", "drift", "finalize"),
        ]
        folder = Path(look.__file__).parent
        for name in TABLE:
            assert (folder / f"{TABLE[name].module}.py").is_file()
        assert all(command.action for command in VERBS)
        assert [command.name for command in COMMANDS if command.action] == ["plan", "doctor"]

    @pytest.mark.parametrize("name", TABLE)
    def test_help_names_every_option_and_imports_nothing_else(self, name: str) -> None:
        code, text = call(*name.split(), "--help")
        assert code == 0
        for option in TABLE[name].options:
            # On a command line a secret would stand in every process list.
            assert (f"--{option.name}" in text) == (option.where is not Where.SECRET)
        assert TABLE[name].example in re.sub(r"\s+", " ", text)

    def test_a_group_lists_its_commands_and_is_none_itself(self) -> None:
        code, text = call("database", "--help")
        assert code == 0
        assert GROUPS["database"] in text
        assert re.search(r"^  provision  Give each service", text, re.MULTILINE)
        assert "database" in call("--help")[1]
        assert {name.rpartition(" ")[0] for name in TABLE if " " in name} == set(GROUPS)
        assert not [command.name for command in ACTIONS if " " in command.name], "a group is no action"

    def test_what_opens_a_gate_is_never_read_from_the_environment(self) -> None:
        gates = {o.name for command in TABLE.values() for o in command.options if o.where is Where.GATE}
        assert gates == {"force", "skip-checks", "approver", "schema", "backup", "allow-dirty", "owner"}
        for command in TABLE.values():
            for option in command.options:
                assert bool(option.variable) == (option.where in (Where.EVERYWHERE, Where.SECRET))
                assert option.variable in ("", PREFIX + option.name.upper().replace("-", "_"))

    def test_options_of_one_name_are_the_same_everywhere(self) -> None:
        kinds: dict[str, set[tuple[Kind, Where]]] = {}
        for command in TABLE.values():
            for option in command.options:
                kinds.setdefault(option.name, set()).add((option.kind, option.where))
        assert {name for name, found in kinds.items() if len(found) > 1} == set()


class TestOptions:
    def test_a_flag_beats_the_environment_and_that_the_default(self, seen: dict[str, Any]) -> None:
        env = {f"{PREFIX}VERSION": "env", f"{PREFIX}CONFIG": "env.yml", f"{PREFIX}LOCK_WAIT": ""}
        assert call("deploy", "--version", "flag", env=env)[0] == 0
        assert (seen["version"], seen["config"], seen["stack"], seen["lock_wait"]) == (
            "flag",
            "env.yml",
            "",
            0,
        )

    def test_gates_do_not_open_from_the_environment(self, seen: dict[str, Any]) -> None:
        env = {f"{PREFIX}{name}": "1" for name in ("FORCE", "SKIP_CHECKS", "APPROVER")}
        assert call("deploy", env=env)[0] == 0
        assert (seen["force"], seen["skip_checks"], seen["approver"]) == ("", False, "")

    @pytest.mark.parametrize(
        ("text", "value"), [("true", True), ("false", False), ("", False), ("1", True)]
    )
    def test_a_flag_from_the_environment(self, seen: dict[str, Any], text: str, value: bool) -> None:
        assert call("rollback", env={f"{PREFIX}LAST_GOOD": text})[0] == 0
        assert seen["last_good"] is value

    def test_repeated_options(self, seen: dict[str, Any]) -> None:
        assert call("deploy", "--only", "a", "--only", "b", "--image", "a=r:1")[0] == 0
        assert (seen["only"], seen["image"]) == (("a", "b"), ("a=r:1",))
        assert call("deploy", env={f"{PREFIX}ONLY": "a b"})[0] == 0
        assert seen["only"] == ("a", "b")

    @pytest.mark.parametrize(
        "words",
        [
            ("deploy", "--lock-wait", "-1"),
            ("deploy", "--lock-wait", "nan"),
            ("deploy", "--lock-wait", "inf"),
            ("history", "--limit", "1e99"),
            ("deploy", "--nonsense"),
            ("deploy", "surplus"),
            ("deploy", "--version"),
            ("nonsense",),
            ("database",),
            ("database", "nonsense"),
            ("database", "provision", "surplus"),
            ("provision",),
        ],
    )
    def test_what_cannot_be_is_exit_2(
        self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        assert ended.value.code == 2
        assert "Traceback" not in capsys.readouterr().err

    def test_a_slip_in_a_command_is_answered_with_the_nearest(self) -> None:
        assert "Did you mean 'deploy'?" in call("deplyo")[1]
        assert "Did you mean 'database'?" in call("databse")[1]
        assert "Did you mean 'provision'?" in call("database", "provison")[1]
        for words in (("xyzzy",), ("database", "deploy")):
            assert "Did you mean" not in call(*words)[1]


class TestMain:
    @pytest.mark.parametrize("code", Exit)
    def test_the_process_ends_with_the_commands_exit_code(
        self, code: Exit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ci_lib.cli import history

        monkeypatch.setattr(history, "run", lambda _: code)
        with pytest.raises(SystemExit) as ended:
            main(["history"])
        assert ended.value.code == int(code)

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Cancelled("SIGTERM"), 130),
            (click.exceptions.Abort(), 130),
            (ValueError("x"), 70),
            (OSError(), 70),
        ],
    )
    def test_what_escapes_a_command_never_ends_in_1(
        self,
        fault: BaseException,
        code: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def run(_: object) -> Exit:
            raise fault

        from ci_lib.cli import history

        monkeypatch.setattr(history, "run", run)
        with pytest.raises(SystemExit) as ended:
            main(["history"])
        assert ended.value.code == code
        assert ("Traceback" in capsys.readouterr().err) == (code == 70)

    @pytest.mark.parametrize("words", [["--help"], ["--version"], ["deploy", "-h"]])
    def test_help_and_version_are_green(
        self, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        assert capsys.readouterr().out

    def test_help_loads_no_driver(self, capsys: pytest.CaptureFixture[str]) -> None:
        loaded = {name for name in sys.modules if name.startswith("ci_lib.targets")}
        with pytest.raises(SystemExit):
            main(["--help"])
        assert {name for name in sys.modules if name.startswith("ci_lib.targets")} == loaded


class TestRequest:
    def test_options_become_a_request(self) -> None:
        values = {
            "version": "v1",
            "only": ("a",),
            "last_good": True,
            "lock_wait": 5,
            "image": ("a=r:1", "r:2"),
        }
        request = request_of(Verb.ROLLBACK, values)
        assert (request.version, request.only, request.last_good, request.lock_wait) == (
            "v1",
            ("a",),
            True,
            5,
        )
        assert request.images == {"a": "r:1", "": "r:2"}

    def test_a_digest_holds_no_name(self) -> None:
        reference = "registry:5000/a/b@sha256:" + "0" * 64
        assert request_of(Verb.DEPLOY, {"image": (reference,)}).images == {"": reference}

    @pytest.mark.parametrize("image", [("a=r:1", "a=r:2"), ("r:1", "r:2")])
    def test_an_image_named_twice_is_refused(self, image: tuple[str, ...]) -> None:
        with pytest.raises(UsageFault, match="twice"):
            request_of(Verb.DEPLOY, {"image": image})

    def test_without_options_everything_is_closed(self) -> None:
        request = request_of(Verb.FINALIZE, {})
        assert not any(
            (request.force, request.skip_checks, request.last_good, request.rollback_on_failure)
        )


class TestParts:
    @pytest.mark.parametrize(
        ("text", "destination", "port"),
        [
            ("deploy@web1.example", "deploy@web1.example", None),
            ("deploy@web1.example:2222", "deploy@web1.example", 2222),
            ("web1", "web1", None),
            ("deploy@[::1]:22", "deploy@::1", 22),
            ("deploy@[::1]", "deploy@::1", None),
            ("deploy@::1", "deploy@::1", None),
            ("deploy@fe80::1:22", "deploy@fe80::1:22", None),
        ],
    )
    def test_an_ssh_destination_is_taken_apart(
        self, text: str, destination: str, port: int | None
    ) -> None:
        assert split_destination(text) == (destination, port)

    def test_the_only_stack_need_not_be_named_and_a_slip_is_answered(self) -> None:
        loaded = load(DEPLOY_YML, name="deploy.yml")
        assert stack_of({"stack": ""}, loaded) == "shop"
        with pytest.raises(UsageFault, match="has no stack 'shpo'") as fault:
            stack_of({"stack": "shpo"}, loaded)
        assert fault.value.hint == "did you mean 'shop'?"
        with pytest.raises(UsageFault, match="no stack") as fault:
            stack_of({"stack": "../../etc\n::error::" + "x" * 500}, loaded)
        assert len(fault.value.message) < 150

    @pytest.mark.parametrize(
        "owner",
        ["", "github:a/b/1/1/x", "local:", "local:elsewhere/1.2", "local:x/y/notanumber.2", "local:/"],
    )
    def test_of_a_foreign_owner_nothing_is_known(self, owner: str) -> None:
        assert forges.run_state_of(NoForge())(owner) is RunState.UNKNOWN

    def test_short_values_of_a_dotenv_are_no_secrets(self) -> None:
        from tests.fakes import FakeHost

        host = FakeHost(files={"/run/.env": b"A=short\nB='a long secret'\n# c\nC=\nD=x=yyyyyyyy\n"})
        assert secrets_of(host, "/run") == ("a long secret", "x=yyyyyyyy")
        assert secrets_of(FakeHost(), "/run") == ()
