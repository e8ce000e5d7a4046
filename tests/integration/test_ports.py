"""What `protocols.Host` promises, asked of every host alike, with real processes and a real sshd."""

import fcntl
import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_lib.ports.local import LocalHost
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.protocols import FileData, Host, NotFound, PortFault, TimedOut, Unreachable
from tests.integration.ports_support import echo, http_server, ssh_host

HOSTILE = [
    "plain",
    "two words",
    " leading and trailing ",
    "'single' \"double\"",
    "$(touch /tmp/never) `id` $HOME ${PATH}",
    "line\nbreak\n",
    "back\\slash\\n",
    "semi;colon & pipe | redirect > never",
    "*?[a-z]{a,b} ~ !! #",
    "-rf",
    "--",
    "",
    "ünïcödé ✓",
    "tab\tand\rreturn",
    "a=b",
]


@pytest.fixture(scope="module")
def sudo_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which sudo is a program that checks how it was called and then grants everything."""
    folder = tmp_path_factory.mktemp("bin")
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 99\nshift 2\nexec env -i PATH="$PATH" "$@"\n')
    sudo.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(scope="module", params=["local", "sudo", "ssh"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    if request.param == "local":
        yield LocalHost("runner")
    elif request.param == "sudo":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", request.getfixturevalue("sudo_path"))
            yield LocalHost("runner", sudo=True)
    else:
        with ssh_host(request.getfixturevalue("sshd")) as remote:
            yield remote


# --- run, on every host ---------------------------------------------------------------------------------


def test_run_returns_code_and_both_outputs(host: Host) -> None:
    ran = host.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=20)
    assert (ran.code, ran.stdout, ran.stderr) == (7, "out\n", "err\n")


@pytest.mark.parametrize("argument", HOSTILE)
def test_an_argument_arrives_as_it_was_given(host: Host, argument: str) -> None:
    assert host.run(["printf", "<%s>", argument, "end"], timeout=20).stdout == f"<{argument}><end>"


def test_input_of_any_size_and_content_arrives(host: Host) -> None:
    data = bytes(range(256)) * 4096
    ran = host.run(["sha256sum"], stdin=data, timeout=20)
    assert ran.stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_much_input_and_much_output_go_at_once(host: Host) -> None:
    data = b"0123456789abcdef" * 500_000
    assert host.run(["cat"], stdin=data, timeout=60).stdout.encode() == data


def test_input_may_stay_unread_and_outputs_may_close_early(host: Host) -> None:
    assert host.run(["true"], stdin=b"x" * 1_000_000, timeout=20).ok
    assert host.run(["sh", "-c", "exec >&- 2>&-; exit 4"], stdin=b"x" * 1_000_000, timeout=20).code == 4


def test_an_argument_that_is_too_long_is_told(host: Host) -> None:
    ran = host.run(["echo", "x" * 200_000], timeout=20)
    assert (ran.code, ran.stdout) == (126, "")
    assert "too long" in ran.stderr


def test_calls_leave_no_files_open(host: Host) -> None:
    def descriptors() -> list[str]:
        return sorted(each.name for each in Path("/proc/self/fd").iterdir())

    host.run(["true"], timeout=20)
    before = descriptors()
    host.run(["cat"], stdin=b"x" * 100_000, timeout=20)
    with pytest.raises(TimedOut):
        host.run(["sleep", "2"], timeout=0.2)
    with pytest.raises(NotFound):
        host.read("/nowhere/file")
    assert descriptors() == before


def test_input_is_empty_when_none_is_given(host: Host) -> None:
    assert host.run(["cat"], timeout=20).stdout == ""


def test_output_that_is_not_utf8_is_replaced(host: Host) -> None:
    assert host.run(["printf", r"a\377b"], timeout=20).stdout == "a\ufffdb"


@pytest.mark.parametrize("name", ["folder", "it's a $(folder)\n"])
def test_run_enters_a_folder_and_adds_to_the_environment(host: Host, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    env = {"GREETING": "it's $HOME\n"}
    show = ["sh", "-c", 'printf "%s|" "$PWD" "$GREETING"']
    assert host.run(show, cwd=str(tmp_path / name), env=env, timeout=20).stdout == (
        f"{tmp_path / name}|{env['GREETING']}|"
    )
    assert host.run(["printenv", "GREETING"], env=env, timeout=20).stdout == env["GREETING"] + "\n"


def test_a_missing_folder_to_run_in_is_told(host: Host, tmp_path: Path) -> None:
    ran = host.run(["true"], cwd=str(tmp_path / "nowhere"), timeout=20)
    assert ran.code == 125
    assert "nowhere" in ran.stderr


@pytest.mark.parametrize("program", ["no-such-program", "a=b", "cd", "if"])
def test_a_missing_program_is_code_127_and_a_sentence(host: Host, program: str) -> None:
    ran = host.run([program, "x"], timeout=20)
    assert ran.code == 127
    assert program in ran.stderr
    assert "not found" in ran.stderr or "No such file" in ran.stderr


@pytest.mark.parametrize(("argument", "why"), [("a\0b", "null"), ("a\ud800b", "can't encode")])
def test_an_argument_that_cannot_be_passed_on_is_refused(host: Host, argument: str, why: str) -> None:
    with pytest.raises(PortFault, match=rf"^echo .* cannot be started: .*{why}|^sudo .*{why}"):
        host.run(["echo", argument], timeout=20)


def test_255_of_the_command_itself_is_a_result(host: Host) -> None:
    assert host.run(["sh", "-c", "echo Connection refused >&2; exit 255"], timeout=20).code == 255


def test_a_command_that_takes_too_long_is_given_up(host: Host) -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"sleep 60.* did not end within 0\.5 s"):
        host.run(["sleep", "60"], timeout=0.5)
    assert time.monotonic() - began < 3


def test_commands_run_side_by_side(host: Host) -> None:
    def one(number: int) -> str:
        return host.run(["sh", "-c", 'sleep 0.2; echo "$1"', "sh", str(number)], timeout=30).stdout.strip()

    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == [str(number) for number in range(16)]
    assert time.monotonic() - began < 3.0


# --- files, on every host -------------------------------------------------------------------------------


def names() -> list[str]:
    return [name for name in HOSTILE if name and "/" not in name]


@pytest.mark.parametrize("name", names())
def test_a_file_of_any_name_is_written_read_and_appended_to(host: Host, tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name / name)
    host.write(path, b"one\n\xff", mode=0o640)
    assert host.read(path) == b"one\n\xff"
    assert host.append(path, b"two", expected_size=5)
    assert Path(path).read_bytes() == b"one\n\xfftwo"
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o640


def test_missing_folders_are_made_for_the_owner_alone(host: Host, tmp_path: Path) -> None:
    host.write(str(tmp_path / "a/b/c"), b"", mode=0o644)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b", "a/b/c")] == [
        0o700,
        0o700,
        0o644,
    ]


def test_reading_what_is_not_there_is_not_found_and_all_else_is_a_fault(host: Host, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing"):
        host.read(str(tmp_path / "nothing"))
    with pytest.raises(PortFault, match="directory") as caught:
        host.read(str(tmp_path))
    assert not isinstance(caught.value, NotFound)
    (tmp_path / "file").touch()
    with pytest.raises(PortFault, match="directory") as caught:
        host.read(str(tmp_path / "file/below"))
    assert not isinstance(caught.value, NotFound)


def test_a_write_that_cannot_be_is_told_and_leaves_nothing(host: Host, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PortFault, match="directory"):
        host.write(str(tmp_path / "folder"), b"x")
    (tmp_path / "file").write_text("old")
    with pytest.raises(PortFault, match="file"):
        host.write(str(tmp_path / "file/below"), b"x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_reader_never_sees_half_a_write(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    versions = {bytes([65 + number]) * 300_000 for number in range(6)}
    host.write(str(path), next(iter(versions)))
    done = threading.Event()
    seen: set[bytes] = set()

    def watch() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for version in versions:
        host.write(str(path), version)
    done.set()
    watcher.join()
    assert seen <= versions
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_append_writes_nothing_when_the_size_is_another(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    assert host.append(str(path), b"first\n", expected_size=0)
    assert not host.append(str(path), b"late\n", expected_size=0)
    assert not host.append(str(path), b"early\n", expected_size=60)
    assert path.read_bytes() == b"first\n"
    assert not host.append(str(tmp_path / "new"), b"x", expected_size=3)
    assert not (tmp_path / "new").exists()


def test_appends_from_many_sides_lose_nothing(host: Host, tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    others = LocalHost("other")

    def writer(number: int) -> None:
        side = host if number % 2 else others
        for line in range(5):
            while True:
                try:
                    size = len(side.read(path))
                except NotFound:
                    size = 0
                if side.append(path, f"{number}:{line}\n".encode(), expected_size=size):
                    break

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(writer, range(6)))
    lines = Path(path).read_text().splitlines()
    assert sorted(lines) == sorted(f"{number}:{line}" for number in range(6) for line in range(5))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ledger", "ledger.lock"]


def test_append_waits_for_whoever_holds_the_lock_and_then_looks_again(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"old\n")
    with (tmp_path / "ledger.lock").open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        late = pool.submit(host.append, str(path), b"late\n", expected_size=4)
        time.sleep(0.5)
        assert not late.done()
        path.write_bytes(b"old\nnew\n")
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert late.result(20) is False
    assert path.read_bytes() == b"old\nnew\n"


# --- upload, on every host ------------------------------------------------------------------------------


def test_upload_replaces_its_files_and_deletes_none(host: Host, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / ".env").write_text("SECRET=1")
    (tmp_path / "conf/old").write_text("stays")
    (tmp_path / "conf/app").write_text("is replaced")
    host.upload(
        {
            "compose.yml": FileData(data=b"services: {}"),
            "conf/app": FileData(data=b"new", mode=0o600),
            "conf/deep/er/run.sh": FileData(data=b"#!/bin/sh\n", mode=0o755),
            "n" * 200 + "/" + "m" * 200: FileData(data=b"long"),
        },
        str(tmp_path),
    )
    assert {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()} == {
        ".env",
        "compose.yml",
        "conf/app",
        "conf/old",
        "conf/deep/er/run.sh",
        "n" * 200 + "/" + "m" * 200,
    }
    assert (tmp_path / "conf/app").read_bytes() == b"new"
    modes = [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("conf/app", "conf/deep/er/run.sh")]
    assert modes == [0o600, 0o755]
    assert stat.S_IMODE((tmp_path / "conf/deep/er").stat().st_mode) == 0o755


def test_upload_takes_names_of_any_kind(host: Host, tmp_path: Path) -> None:
    tree = {f"{name}/{name}": FileData(data=name.encode()) for name in names()}
    host.upload(tree, str(tmp_path / "it's $(new)\n"))
    for path, file in tree.items():
        assert (tmp_path / "it's $(new)\n" / path).read_bytes() == file.data


@pytest.mark.parametrize("path", ["/etc/evil", "../evil", "a/../../evil", "a//b", "./a", "", "a/", "a\0b"])
def test_upload_refuses_paths_that_lead_outside(host: Host, tmp_path: Path, path: str) -> None:
    with pytest.raises(PortFault, match="outside its folder or is not plain"):
        host.upload({"good": FileData(data=b""), path: FileData(data=b"x")}, str(tmp_path / "folder"))
    assert list(tmp_path.iterdir()) == []


def test_upload_through_a_link_that_leaves_the_folder_changes_nothing(host: Host, tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    with pytest.raises(PortFault, match="a symbolic link there leads out of"):
        host.upload({"aaa": FileData(data=b"x"), "link/sub/evil": FileData(data=b"x")}, str(folder))
    assert list(outside.iterdir()) == []
    assert [each.name for each in folder.iterdir()] == ["link"]


def test_upload_follows_a_link_within_the_folder_and_replaces_one_that_is_a_file(
    host: Host, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "real").mkdir(parents=True)
    (folder / "link").symlink_to("real")
    outside.write_text("stays")
    (folder / "file").symlink_to(outside)
    host.upload({"link/a": FileData(data=b"a"), "file": FileData(data=b"new")}, str(folder))
    assert (folder / "real/a").read_bytes() == b"a"
    assert (folder / "file").read_bytes() == b"new"
    assert outside.read_text() == "stays"


def test_upload_of_nothing_is_fine(host: Host, tmp_path: Path) -> None:
    host.upload({}, str(tmp_path / "folder"))
    assert list((tmp_path / "folder").iterdir()) == []


def test_many_files_are_uploaded_at_once(host: Host, tmp_path: Path) -> None:
    host.upload({f"d{n % 50}/f{n}": FileData(data=b"x" * 100) for n in range(1000)}, str(tmp_path))
    assert sum(1 for each in tmp_path.rglob("f*") if each.is_file()) == 1000


# --- forward, on every host -----------------------------------------------------------------------------


def test_a_forwarded_port_is_reached_and_gone_afterwards(host: Host) -> None:
    net = RequestsNet()
    with http_server(echo) as port:
        with host.forward("127.0.0.1", port) as place:
            assert host.local or place[1] != port
            answer = net.request("GET", f"http://shop.example:{port}/ready", timeout=10, connect_to=place)
        if not host.local:
            with pytest.raises(Unreachable, match="Connection refused"):
                net.talk(*place, send=b"", receive=0, timeout=5)
    assert json.loads(answer.body)["host"] == f"shop.example:{port}"
