import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.ports.ssh import remote_command


def test_a_command_is_replaced_and_not_taken_by_the_shell() -> None:
    assert remote_command(["docker", "ps", "-q"]) == "exec docker ps -q"


WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=8)


@given(words=WORDS)
def test_the_shell_gets_all_words_back_whatever_they_are(words: list[str]) -> None:
    assert shlex.split(remote_command(["echo", *words])) == ["exec", "echo", *words]


HOSTILE = ["$(id)", "`id`", "a b", "it's", 'say "x"', "new\nline", "; id", "*", "~", "", "-e"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_shell_gets_every_argument_back_as_it_was(hostile: str) -> None:
    assert shlex.split(remote_command(["echo", hostile, "end"])) == ["exec", "echo", hostile, "end"]


def test_sudo_stands_before_everything_that_varies() -> None:
    line = remote_command(["id"], sudo=True, cwd="/srv/a b", env={"A": "it's"})
    before = ["exec", "sudo", "-n", "--", "env", "A=it's", "sh", "-c"]
    assert shlex.split(line)[: len(before)] == before
    assert shlex.split(line)[-2:] == ["/srv/a b", "id"]
