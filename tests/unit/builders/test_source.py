"""What is asked of git, and what of its answers is believed and told."""

import pytest

from ci_lib.builders.source import Git, public
from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran
from tests.fakes import FakeHost

COMMIT = "a1" * 20
TOP = ("git", "rev-parse", "--show-toplevel")
VERIFY = ("git", "rev-parse", "--verify")
SHALLOW = ("git", "rev-parse", "--is-shallow-repository")


def git(**answers: Ran) -> Git:
    host = FakeHost(commands={("git", *name.split("_")): ran for name, ran in answers.items()})
    return Git(host=host, folder="/src")


def ran(text: str = "", code: int = 0, stderr: str = "") -> Ran:
    return Ran(code=code, stdout=text, stderr=stderr)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://kim:token@git.example/acme/shop.git", "https://git.example/acme/shop.git"),
        ("https://x-access-token@git.example:8443/acme/shop?a=b#c", "https://git.example:8443/acme/shop"),
        ("git@git.example:acme/shop.git", "ssh://git.example/acme/shop.git"),
        ("ssh://git@git.example:22/acme/shop", "ssh://git.example:22/acme/shop"),
        ("/srv/git/shop", ""),
        ("file:///srv/git/shop", ""),
        ("../shop", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_the_source_is_named_without_a_login_and_a_folder_not_at_all(url: str, shown: str) -> None:
    assert public(url) == shown


def test_a_ref_is_never_an_option_and_must_be_a_commit() -> None:
    host = FakeHost(commands={VERIFY: ran(f"{COMMIT}\n")})
    assert Git(host=host, folder="/src").commit("--output=x") == COMMIT
    (call,) = host.calls
    assert call.argv[-2:] == ("--end-of-options", "--output=x^{commit}")
    assert (call.cwd, call.env["GIT_TERMINAL_PROMPT"]) == ("/src", "0")
    for said in ("HEAD", "", f"{COMMIT}\n{COMMIT}"):
        host = FakeHost(commands={VERIFY: ran(said), SHALLOW: ran("false")})
        with pytest.raises(UsageFault, match="there is no commit 'v1' here"):
            Git(host=host, folder="/src").commit("v1")


def test_what_is_not_there_is_told_with_the_way_out() -> None:
    absent = {VERIFY: ran(code=1)}
    with pytest.raises(UsageFault) as fault:
        Git(host=FakeHost(commands=absent | {SHALLOW: ran("true\n")}), folder="/src").commit("v1")
    assert "fetch-depth: 0" in fault.value.hint
    with pytest.raises(UsageFault) as fault:
        Git(host=FakeHost(commands=absent | {SHALLOW: ran("false\n")}), folder="/src").commit("v1")
    assert "git fetch --tags" in fault.value.hint
    with pytest.raises(DeployError, match="no commit yet") as none:
        Git(host=FakeHost(commands=absent), folder="/src").commit("HEAD")
    assert none.value.reason is Reason.BUILD


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (ran(code=127, stderr="git: command not found"), "git is not installed", "install it"),
        (
            ran(code=128, stderr="fatal: not a git repository"),
            "knows no checkout in /src",
            "actions/checkout",
        ),
        (ran(code=128, stderr="fatal: detected dubious ownership"), "knows no checkout", "safe.directory"),
    ],
)
def test_without_a_checkout_the_hint_says_why(answer: Ran, message: str, hint: str) -> None:
    with pytest.raises(DeployError, match=message) as fault:
        Git.around("/src", FakeHost(commands={TOP: answer}))
    assert hint in fault.value.hint


def test_the_top_of_the_checkout_is_found_from_below() -> None:
    assert Git.around("/src/a", FakeHost(commands={TOP: ran("/src\n")})).folder == "/src"


def test_changed_files_are_listed_but_not_our_own_evidence() -> None:
    listed = " M app/a b.py\0?? app/new\n\0?? ops/.deploy-actions/x\0 M app/.deploy-actions/kept\0"
    unseen = "H app/a b.py\0h app/assumed.py\0S app/sparse.py\0"
    found = git(status=ran(listed), **{"ls-files": ran(unseen)}).changed(["/src/app"])
    assert found == (
        *("app/a b.py", "app/new\n", "app/.deploy-actions/kept"),
        *("app/assumed.py", "app/sparse.py"),
    )


def test_the_facts_about_a_commit() -> None:
    asked = git(show=ran("1700000000\n"), config=ran("https://u:p@git.example/x\n"))
    source = asked.source(COMMIT)
    assert (source.commit, source.time, source.url) == (COMMIT, 1_700_000_000, "https://git.example/x")
    assert git(show=ran("1\n"), config=ran(code=1)).source(COMMIT).url == ""


def test_a_commit_is_unpacked_by_an_index_of_its_own() -> None:
    names = (("git", "ls-tree"), ("git", "read-tree"), ("git", "checkout-index"))
    host = FakeHost(commands={name: ran() for name in names})
    assert Git(host=host, folder="/src").unpack(COMMIT, "/room") == "/room/tree"
    assert [call.argv[1] for call in host.calls] == ["ls-tree", "read-tree", "checkout-index"]
    assert {call.env.get("GIT_INDEX_FILE") for call in host.calls[1:]} == {"/room/index"}


def test_submodules_and_failures_are_told() -> None:
    listed = "\0".join([f"100644 blob {COMMIT}\ta", f"160000 commit {COMMIT}\tlib", ""])
    with pytest.raises(DeployError, match=r"has submodules \(lib\)"):
        git(**{"ls-tree": ran(listed)}).unpack(COMMIT, "/room")
    with pytest.raises(DeployError, match="git show failed: fatal: bad object"):
        git(show=ran(code=128, stderr="fatal: bad object")).source(COMMIT)
