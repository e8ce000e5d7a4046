from collections.abc import Sequence

import pytest

from ci_lib.ports.child import Finished
from ci_lib.ports.protocols import FileData, NotFound, PortFault, TimedOut
from ci_lib.ports.scripts import APPEND, ScriptFiles, placed


class Recorded:
    """Answers every command alike and keeps what it was asked."""

    def __init__(self, answer: Finished) -> None:
        self.answer = answer
        self.asked: list[tuple[list[str], bytes, str]] = []

    def __call__(self, argv: Sequence[str], stdin: bytes, timeout: float, label: str) -> Finished:
        assert timeout > 0
        self.asked.append((list(argv), stdin, label))
        return self.answer


def files(code: int, stderr: bytes = b"", stdout: bytes = b"") -> tuple[ScriptFiles, Recorded]:
    host = Recorded(Finished(code=code, stderr=stderr, stdout=stdout))
    return ScriptFiles("web1", host), host


def test_a_command_without_place_stays_as_it_is() -> None:
    assert placed(["ls", "-l"], None) == ["ls", "-l"]


def test_a_folder_is_entered_by_a_constant_script() -> None:
    script = 'cd -- "$1" || exit 125; shift; exec "$@"'
    assert placed(["ls"], "/a; b") == ["sh", "-c", script, "sh", "/a; b", "ls"]


def test_environment_is_added_before_the_folder_is_entered() -> None:
    assert placed(["ls"], None, {"A": "1", "B": "2 3"}) == ["env", "A=1", "B=2 3", "ls"]
    assert placed(["ls"], "/srv", {"A": "1"})[:4] == ["env", "A=1", "sh", "-c"]


def test_a_program_that_looks_like_a_variable_is_still_a_program() -> None:
    assert placed(["a=b", "c"], None, {"A": "1"}) == ["env", "A=1", "sh", "-c", 'exec "$@"', "sh", "a=b", "c"]


def test_what_varies_is_an_argument_and_never_part_of_a_script() -> None:
    reader, host = files(0)
    assert reader.append("/srv/$(id)/led ger", b"data", expected_size=7)
    argv, stdin, label = host.asked[0]
    assert argv[:4] == ["sh", "-c", APPEND, "sh"]
    assert argv[4:] == ["4", "/srv/$(id)", "/srv/$(id)/led ger", "7", "30"]
    assert (stdin, label) == (b"data", "writing /srv/$(id)/led ger on web1")


def test_the_data_are_in_no_argument() -> None:
    reader, host = files(0)
    reader.write("secret.env", b"PASSWORD=s3cret")
    reader.upload({"a": FileData(data=b"PASSWORD=s3cret")}, "/srv")
    for argv, stdin, _ in host.asked:
        assert "s3cret" not in " ".join(argv)
        assert b"s3cret" in stdin


def test_every_operation_is_one_call() -> None:
    reader, host = files(0)
    reader.read("/a")
    reader.write("/a", b"")
    reader.append("/a", b"", expected_size=0)
    reader.upload({"a": FileData(data=b"")}, "/a")
    assert len(host.asked) == 4


@pytest.mark.parametrize("said", [b"cat: /a: Permission denied\n", b"sudo: a password is required\n", b""])
def test_only_a_missing_file_is_not_found(said: bytes) -> None:
    with pytest.raises(PortFault, match="/a cannot be read on web1") as caught:
        files(1, said)[0].read("/a")
    assert not isinstance(caught.value, NotFound)
    with pytest.raises(NotFound, match="/a does not exist on web1"):
        files(1, b"cat: /a: No such file or directory\n")[0].read("/a")


def test_the_exit_codes_of_append_have_their_meaning() -> None:
    assert files(0)[0].append("/a", b"x", expected_size=0)
    assert not files(73)[0].append("/a", b"x", expected_size=0)
    with pytest.raises(TimedOut, match="lock of /a on web1 was not free in 30 s"):
        files(75)[0].append("/a", b"x", expected_size=0)
    with pytest.raises(PortFault, match="cannot be written on web1: No space left on device"):
        files(1, b"cat: write error\nNo space left on device\n")[0].append("/a", b"x", expected_size=0)


def test_a_bad_tree_is_refused_before_anything_is_asked() -> None:
    reader, host = files(0)
    with pytest.raises(PortFault, match="outside"):
        reader.upload({"../a": FileData(data=b"")}, "/srv")
    assert host.asked == []
