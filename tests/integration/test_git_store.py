"""The ledger in a branch of real git remotes: many writers, every way in, and all that can go wrong on it."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.ports import git_branch
from ci_lib.ports.git_access import Access
from ci_lib.ports.git_branch import GitBranch
from ci_lib.ports.protocols import PortFault, UnknownHostKey
from ci_lib.ports.system import SystemClock
from ci_lib.records import chain
from ci_lib.stores.git import GitStore
from tests.lab.components import Sshd
from tests.lab.git import GitHttp, bare, git, hook

BRANCH = "deploy-records"
FIRST = "stacks/shop/000000000/000000000000.jsonl"
WRITERS, EACH = 12, 3
TOKEN = "a-token-of-the-laboratory"


def access(url: object, **more: Any) -> Access:
    return Access(folder="/", url=str(url), **more)


@pytest.fixture
def store() -> Iterator[Callable[..., GitStore]]:
    """`store(URL)` is a writer like any other run."""
    with ExitStack() as exits:

        def made(url: object, **more: Any) -> GitStore:
            branch = exits.enter_context(GitBranch(BRANCH, access(url, **more)))
            return GitStore(branch=branch, clock=SystemClock())

        yield made


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare(tmp_path / "remote.git")


@pytest.fixture
def http(tmp_path: Path, remote: Path) -> Iterator[GitHttp]:
    with GitHttp(tmp_path, login=f"x-access-token:{TOKEN}").serving() as serving:
        yield serving


def held(repository: Path) -> list[Any]:
    """The `n` of the records in a repository, oldest first, if the chain holds."""
    with GitBranch(BRANCH, access(repository)) as branch:
        lines = chain.check(GitStore(branch=branch, clock=SystemClock()).read("shop")).lines
    return [json.loads(line)["body"]["n"] for line in lines]


def undecided(act: Callable[[], object]) -> str:
    """The message with which something could not be decided."""
    with pytest.raises(Refusal) as refused:
        act()
    assert refused.value.reason is Reason.CANNOT_DECIDE
    return refused.value.message


# ---- many writers


def _write(url: str, writer: int) -> None:
    with GitBranch(BRANCH, access(url)) as branch:
        mine = GitStore(branch=branch, clock=SystemClock())
        for number in range(EACH):
            mine.append("shop", {"n": [writer, number]})
        mine.publish("shop", history=(f"{writer}\n",))


def test_twelve_processes_lose_nothing_and_keep_one_chain(remote: Path) -> None:
    """Also the first of them: when they begin there is no branch."""
    with ProcessPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(_write, str(remote), writer) for writer in range(WRITERS)]:
            done.result(timeout=300)
    found = held(remote)
    assert sorted(map(tuple, found)) == [(w, n) for w in range(WRITERS) for n in range(EACH)]
    log = git(remote, "show", f"{BRANCH}:deploy-history.log")
    assert sorted(map(int, log.splitlines())) == list(range(WRITERS))
    touched = git(remote, "log", "--format=", "--name-status", BRANCH, "--", "stacks").splitlines()
    assert {line[0] for line in touched if line} == {"A"}, "a record's file was changed"


# ---- ways in


def test_a_folder_is_a_remote_and_nothing_is_left_of_the_way(
    store: Callable[..., GitStore], remote: Path
) -> None:
    mine = store(remote)
    assert mine.read("shop") == b""
    assert mine.append("shop", {"n": 0}, {"n": 1})[1].seq == 1
    mine.publish("shop", history=("one\n",), verified="v1")
    assert store(remote).append("shop", {"n": 2})[0].seq == 2
    assert held(remote) == [0, 1, 2]
    assert git(remote, "show", f"{BRANCH}:verified/shop.txt") == "v1"
    assert git(remote, "for-each-ref", "--format=%(refname)") == f"refs/heads/{BRANCH}"
    assert git(remote, "log", "-1", "--format=%an <%ae>", BRANCH).startswith("deploy-actions <noreply@")


def test_what_the_run_needs_is_a_private_folder_that_goes_with_it(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with GitBranch(BRANCH, access(remote)) as branch:
        GitStore(branch=branch, clock=SystemClock()).append("shop", {"n": 0})
        (folder,) = (tmp_path / "tmp").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list((tmp_path / "tmp").iterdir()) == []


def test_ssh_takes_a_key_and_a_known_host(require: Any, sshd: Sshd, remote: Path) -> None:
    url = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{remote}"
    key = Path(sshd.private_key).read_text()
    with GitBranch(BRANCH, access(url, key=key, known_hosts=str(sshd.known_hosts))) as branch:
        mine = GitStore(branch=branch, clock=SystemClock())
        mine.append("shop", {"n": 0})
        mine.append("shop", {"n": 1})
    assert held(remote) == [0, 1]
    assert not list(Path("/tmp").glob("deploy-actions-ledger-ssh-*")), "the agent's folder is left"


def test_ssh_talks_to_no_host_that_is_not_known(require: Any, sshd: Sshd, remote: Path) -> None:
    url = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{remote}"
    key = Path(sshd.private_key).read_text()
    for known_hosts in (sshd.wrong_known_hosts, "/dev/null", "/nowhere"):
        with GitBranch(BRANCH, access(url, key=key, known_hosts=str(known_hosts))) as branch:
            mine = GitStore(branch=branch, clock=SystemClock())
            with pytest.raises(UnknownHostKey):
                mine.append("shop", {"n": 0})


def test_ssh_with_a_key_that_nobody_knows_decides_nothing(
    require: Any, sshd: Sshd, remote: Path, tmp_path: Path, store: Callable[..., GitStore]
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    url = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{remote}"
    key = (tmp_path / "other").read_text()
    mine = store(url, key=key, known_hosts=str(sshd.known_hosts))
    assert "Permission denied" in undecided(lambda: mine.read("shop"))


@pytest.fixture
def argv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every call of git writes its command line."""
    folder, log = tmp_path / "bin", tmp_path / "argv"
    folder.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (folder / "git").write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return log


def test_a_token_opens_https_and_shows_nowhere(
    http: GitHttp, remote: Path, argv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    opened = access(http.url(remote), token=TOKEN, username="x-access-token")
    assert TOKEN not in repr(opened)
    with GitBranch(BRANCH, opened) as branch:
        mine = GitStore(branch=branch, clock=SystemClock())
        mine.append("shop", {"n": 0})
        assert mine.append("shop", {"n": 1})[0].seq == 1
        word = base64.b64encode(f"x-access-token:{TOKEN}".encode())
        files = [path.read_bytes() for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
        for text in (argv.read_bytes(), *files):
            assert TOKEN.encode() not in text
            assert word not in text
    assert len(files) > 5
    assert held(remote) == [0, 1]


def test_a_wrong_token_decides_nothing_and_is_not_shown(
    http: GitHttp, remote: Path, store: Callable[..., GitStore]
) -> None:
    mine = store(http.url(remote), token="wrong-token", username="x-access-token")
    for act in (lambda: mine.read("shop"), lambda: mine.append("shop", {"n": 0})):
        message = undecided(act)
        assert "the login is missing, wrong, or may not do this" in message
        assert "wrong-token" not in message
    assert git(remote, "for-each-ref") == ""


def test_a_login_is_not_carried_to_where_the_server_points(
    http: GitHttp, remote: Path, tmp_path: Path, store: Callable[..., GitStore]
) -> None:
    with GitHttp(tmp_path).serving() as elsewhere:
        http.moved = f"http://127.0.0.1:{elsewhere.port}"
        mine = store(http.url(remote), token=TOKEN, username="x-access-token")
        undecided(lambda: mine.read("shop"))
        assert elsewhere.seen == []


# ---- the checkout's own remote


@pytest.fixture
def checkout(tmp_path: Path, http: GitHttp, remote: Path) -> Path:
    """As actions/checkout leaves it: the job's token in a file that the local settings include."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "deploy.yml").write_text("version: 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    git(folder, "remote", "add", "origin", http.url(remote))
    (folder / "untracked").write_text("work in progress")
    word = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    header = f"http.http://127.0.0.1:{http.port}/.extraheader"
    git(tmp_path, "config", "--file", "credentials.config", header, f"AUTHORIZATION: basic {word}")
    git(folder, "config", "include.path", str(tmp_path / "credentials.config"))
    http.login = ""
    return folder


def _bytes(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a folder, git's own files included: mode, time of the last change, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        found[str(path)] = (info.st_mode, info.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def test_the_checkout_lends_its_remote_and_its_login_and_stays_as_it_was(
    checkout: Path, http: GitHttp, remote: Path, argv: Path
) -> None:
    before = _bytes(checkout)
    (checkout / "below").mkdir()
    with GitBranch(BRANCH, Access(folder=str(checkout / "below"))) as branch:
        mine = GitStore(branch=branch, clock=SystemClock())
        mine.append("shop", {"n": 0})
        mine.publish("shop", history=("one\n",))
        assert mine.append("shop", {"n": 1})[0].seq == 1
        assert branch.name == f"branch {BRANCH} of {http.url(remote)}"
    (checkout / "below").rmdir()
    after = _bytes(checkout)
    assert {path: found for path, found in after.items() if path != str(checkout)} == before
    assert held(remote) == [0, 1]
    assert all(header.startswith("basic ") for header in http.seen), "the checkout's header did not arrive"


def test_the_checkouts_own_ssh_command_is_spoken_and_no_unknown_host_with_it(
    require: Any, sshd: Sshd, checkout: Path, remote: Path
) -> None:
    """As actions/checkout leaves it when it is given a key."""
    url = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{remote}"
    git(checkout, "remote", "set-url", "origin", url)
    for known_hosts in (sshd.wrong_known_hosts, sshd.known_hosts):
        command = f"ssh -F none -i '{sshd.private_key}' -o UserKnownHostsFile='{known_hosts}'"
        git(checkout, "config", "core.sshCommand", command)
        with GitBranch(BRANCH, Access(folder=str(checkout))) as branch:
            mine = GitStore(branch=branch, clock=SystemClock())
            if known_hosts == sshd.wrong_known_hosts:
                with pytest.raises(UnknownHostKey):
                    mine.append("shop", {"n": 0})
            else:
                mine.append("shop", {"n": 0})
    assert held(remote) == [0]


def test_a_login_in_the_checkouts_address_is_used_and_shows_nowhere(
    checkout: Path, http: GitHttp, remote: Path, argv: Path
) -> None:
    http.login = f"gitlab-ci-token:{TOKEN}"
    git(checkout, "config", "--unset", "include.path")
    url = http.url(remote).replace("http://", f"http://gitlab-ci-token:{TOKEN}@")
    git(checkout, "remote", "set-url", "origin", url)
    argv.write_text("")
    with GitBranch(BRANCH, Access(folder=str(checkout))) as branch:
        GitStore(branch=branch, clock=SystemClock()).append("shop", {"n": 0})
        assert TOKEN not in branch.name
    assert TOKEN not in argv.read_text()
    assert held(remote) == [0]


def test_a_token_takes_the_place_of_the_checkouts_header(
    checkout: Path, http: GitHttp, remote: Path
) -> None:
    http.login = f"kim:{TOKEN}"
    with GitBranch(BRANCH, Access(folder=str(checkout), token=TOKEN, username="kim")) as branch:
        GitStore(branch=branch, clock=SystemClock()).append("shop", {"n": 0})
    assert held(remote) == [0]


def test_without_a_checkout_or_a_remote_it_is_said_what_to_set(
    checkout: Path, tmp_path: Path, store: Callable[..., GitStore]
) -> None:
    (tmp_path / "empty").mkdir()
    git(checkout, "remote", "remove", "origin")
    for folder, told in ((tmp_path / "empty", "no checkout around"), (checkout, "no remote `origin`")):
        with GitBranch(BRANCH, Access(folder=str(folder))) as branch:
            mine = GitStore(branch=branch, clock=SystemClock())
            message = undecided(lambda mine=mine: mine.read("shop"))  # type: ignore[misc]
            assert told in message
            assert "set `remote:`" in message


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch pwned'", "http://git.example/x", "git://git.example/x", "--upload-pack=touch"]
)
def test_an_address_by_which_anything_could_come_in_is_not_used(
    checkout: Path, url: str, tmp_path: Path
) -> None:
    git(checkout, "config", "remote.origin.url", url)
    with GitBranch(BRANCH, Access(folder=str(checkout))) as branch:
        mine = GitStore(branch=branch, clock=SystemClock())
        undecided(lambda: mine.read("shop"))
    assert not list(tmp_path.rglob("pwned"))


def test_no_setting_hook_or_variable_of_the_user_runs_a_program(
    remote: Path, tmp_path: Path, store: Callable[..., GitStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "home").mkdir()
    settings = f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = touch {mark}\n"
    (tmp_path / "home" / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, f"touch {mark}")
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    mine = store(remote)
    mine.append("shop", {"n": 0})
    assert mine.read("shop")
    assert not mark.exists()
    assert not (tmp_path / "nowhere").exists()


# ---- remotes that fail


def test_a_remote_that_vanishes_decides_nothing(store: Callable[..., GitStore], remote: Path) -> None:
    mine = store(remote)
    mine.append("shop", {"n": 0})
    remote.rename(remote.with_suffix(".away"))
    for act in (lambda: mine.read("shop"), lambda: mine.append("shop", {"n": 1})):
        assert "does not appear to be a git repository" in undecided(act)
    with pytest.raises(PortFault):
        mine.publish("shop", history=("one\n",))


def test_a_server_that_is_no_git_remote_is_no_empty_ledger(
    http: GitHttp, tmp_path: Path, store: Callable[..., GitStore]
) -> None:
    http.login = ""
    undecided(lambda: store(f"http://127.0.0.1:{http.port}/nothing.git").read("shop"))


def test_a_remote_that_does_not_let_us_write_is_quoted(store: Callable[..., GitStore], remote: Path) -> None:
    hook(remote, "pre-receive", "echo 'records are for robots \x1b[31m' >&2; exit 1")
    message = undecided(lambda: store(remote).append("shop", {"n": 0}))
    assert "[remote rejected] (pre-receive hook declined)" in message
    assert "records are for robots" in message
    assert "\x1b" not in message


def test_a_remote_that_hangs_is_given_up_and_nothing_of_it_lives_on(
    http: GitHttp, remote: Path, store: Callable[..., GitStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_branch, "_FIRST_LIMIT", 1.0)
    http.hold, http.login = "upload-refs", ""
    mine = store(http.url(remote))
    assert "git fetch did not end within 1 s" in undecided(lambda: mine.read("shop"))
    assert http.held.is_set()
    listed = subprocess.run(["pgrep", "-f", f"remote-http.*{http.port}"], capture_output=True, text=True)
    assert listed.stdout == ""


def test_an_answer_that_is_lost_neither_loses_nor_doubles_a_record(
    http: GitHttp, remote: Path, store: Callable[..., GitStore]
) -> None:
    http.login = ""
    mine = store(http.url(remote))
    for number, kind in enumerate(["receive", "receive-refs", "upload", "upload-refs"]):
        http.held.clear()
        http.lose = kind
        mine.append("shop", {"n": number})
        if kind.startswith("receive"):
            assert http.held.is_set()
        http.lose = ""
    http.lose = "receive"
    mine.publish("shop", history=("one\n",))
    assert held(remote) == [0, 1, 2, 3]
    assert git(remote, "show", f"{BRANCH}:deploy-history.log") == "one"


# ---- writers that are killed


def _start(url: str, number: int) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from tests.integration.test_git_store import *\n"
        "with GitBranch(BRANCH, access(sys.argv[1])) as branch:\n"
        "    GitStore(branch=branch, clock=SystemClock()).append('shop', {'n': int(sys.argv[2])})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, url, str(number)], cwd=Path(__file__).parents[2]
    )


@pytest.mark.parametrize(("when", "there"), [("before", [0]), ("after", [0, 1])])
def test_a_writer_that_is_killed_leaves_a_record_or_none_and_nobody_waits_for_it(
    http: GitHttp, remote: Path, store: Callable[..., GitStore], when: str, there: list[int]
) -> None:
    """Before the push has arrived, and when it has and the answer has not."""
    http.login = ""
    store(remote).append("shop", {"n": 0})
    http.hold, http.lose = ("receive", "") if when == "before" else ("lost", "receive")
    writer = _start(http.url(remote), 1)
    assert http.held.wait(60)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    http.hold = ""
    http.free.set()
    assert held(remote) == there
    store(remote).append("shop", {"n": 2})
    assert held(remote) == [*there, 2]


# ---- what a hostile branch may hold


def _plant(remote: Path, rows: str, at: str = "stacks/shop/000000000") -> None:
    """Put a tree into the branch, by git's plumbing: nothing checks it there."""
    tree = git(remote, "mktree", "--missing", stdin=f"{rows}\n".encode())
    for name in reversed(at.split("/") if at else []):
        tree = git(remote, "mktree", stdin=f"040000 tree {tree}\t{name}\n".encode())
    commit = git(remote, "commit-tree", tree, "-m", "x")
    git(remote, "update-ref", f"refs/heads/{BRANCH}", commit)


@pytest.mark.parametrize(
    ("at", "row"),
    [
        ("stacks/shop/000000000", "120000 blob {blob}\t000000000000.jsonl"),
        ("stacks/shop/000000000", "160000 commit {commit}\t000000000000.jsonl"),
        ("stacks/shop/000000000", "100755 blob {blob}\t000000000000.jsonl"),
        ("stacks/shop/000000000", "100644 blob {blob}\t.."),
        ("stacks/shop/000000000", "040000 tree {tree}\t000000000000.jsonl"),
        ("stacks/shop", "120000 blob {blob}\t000000000"),
        ("stacks/shop", "040000 tree {tree}\tx"),
        ("stacks", "120000 blob {blob}\tshop"),
        ("stacks", "160000 commit {commit}\tshop"),
        ("", "120000 blob {blob}\tstacks"),
        ("", "100644 blob {blob}\tstacks"),
        ("stacks/shop/000000000", "100644 blob {giant}\t000000000000.jsonl"),
        ("stacks/shop/000000000", "100644 blob {blob}\t000000000000.jsonl"),
    ],
)
def test_what_is_no_record_decides_nothing_and_leads_nowhere(
    remote: Path, store: Callable[..., GitStore], at: str, row: str
) -> None:
    blob = git(remote, "hash-object", "-w", "--stdin", stdin=b"/etc/passwd")
    giant = git(remote, "hash-object", "-w", "--stdin", stdin=b"x" * 9_000_000)
    tree = git(remote, "mktree", stdin=f"100644 blob {blob}\tx\n".encode())
    _plant(remote, row.format(blob=blob, giant=giant, tree=tree, commit="1" * 40), at)
    tip = git(remote, "rev-parse", BRANCH)
    for act in (lambda: store(remote).read("shop"), lambda: store(remote).append("shop", {"n": 0})):
        undecided(act)
    assert git(remote, "rev-parse", BRANCH) == tip


def test_an_empty_folder_does_not_make_a_ledger_begin_again(
    remote: Path, store: Callable[..., GitStore]
) -> None:
    nothing = git(remote, "mktree")
    _plant(remote, f"040000 tree {nothing}\t000000001", "stacks/shop")
    assert "000000001 is empty" in undecided(lambda: store(remote).append("shop", {"n": 0}))


def test_a_branch_that_was_force_pushed_under_us_decides_nothing(
    store: Callable[..., GitStore], remote: Path
) -> None:
    mine = store(remote)
    mine.append("shop", {"n": 0})
    mine.append("shop", {"n": 1})
    git(remote, "update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}~1")
    assert "was rewritten" in undecided(lambda: mine.append("shop", {"n": 2}))
    git(remote, "update-ref", "-d", f"refs/heads/{BRANCH}")
    assert "now is gone" in undecided(lambda: mine.read("shop"))


def test_a_record_that_was_edited_in_the_branch_is_found(
    store: Callable[..., GitStore], remote: Path
) -> None:
    mine = store(remote)
    for number in range(2):
        mine.append("shop", {"n": number})
    line = git(remote, "show", f"{BRANCH}:{FIRST}").replace('"n":0', '"n":7') + "\n"
    blob = git(remote, "hash-object", "-w", "--stdin", stdin=line.encode())
    index = {"GIT_INDEX_FILE": str(remote / "index")}
    git(remote, "read-tree", BRANCH, env=index)
    git(remote, "update-index", "--add", "--cacheinfo", f"100644,{blob},{FIRST}", env=index)
    tree = git(remote, "write-tree", env=index)
    commit = git(remote, "commit-tree", tree, "-p", BRANCH, "-m", "x")
    git(remote, "update-ref", f"refs/heads/{BRANCH}", commit)
    with pytest.raises(Refusal, match="the ledger is damaged"):
        held(remote)
    assert "was changed or removed" in undecided(lambda: mine.read("shop"))


def test_people_take_a_ledger_over_into_a_branch_and_out_of_it_with_git_alone(
    store: Callable[..., GitStore], remote: Path, tmp_path: Path
) -> None:
    """As docs/how-to/ledger-in-git.md says."""
    lines, prev = b"", chain.GENESIS
    for number in range(1500):
        line = chain.encode({"n": number}, seq=number, prev=prev)
        lines, prev = lines + line, chain.decode(line[:-1]).line
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(remote), str(folder))
    git(folder, "switch", "--quiet", "--orphan", BRANCH)
    (folder / FIRST).parent.mkdir(parents=True)
    (folder / FIRST).write_bytes(lines)
    git(folder, "add", "stacks")
    git(folder, "commit", "--quiet", "--message=Take the records over")
    git(folder, "push", "--quiet", "origin", BRANCH)
    mine = store(remote)
    assert mine.append("shop", {"n": 1500})[0].seq == 1500
    assert mine.append("shop", {"n": 1501})[0].seq == 1501
    assert held(remote) == [*range(1502)]
    archive = subprocess.run(["git", "archive", BRANCH, "stacks/shop"], cwd=remote, capture_output=True)
    taken = subprocess.run(["tar", "-x", "--to-stdout"], input=archive.stdout, capture_output=True)
    assert taken.stdout == mine.read("shop")
