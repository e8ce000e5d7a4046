"""Tokens: which is used, where they may go, and that nobody sees them. Waiting, time-outs, odd addresses."""

from dataclasses import replace

import pytest

from ci_lib.domain.forge import ForgeFault, RunState
from ci_lib.forge.gitlab_json import PAGES
from ci_lib.forge.gitlab_transport import PATIENCE, Ask, GitLabFault, Token, Transport
from ci_lib.ports.protocols import Response, TimedOut
from tests.contract.forge.fake_gitlab import JOB, OWN, FakeGitLab, Fault
from tests.contract.forge.gitlab_contract import API, document
from tests.contract.forge.gitlab_jobs import RUN, adapter, check_fault
from tests.contract.forge.test_gitlab_runs import OWNER
from tests.fakes import FakeClock


def running(lab: FakeGitLab) -> FakeGitLab:
    lab.world.job(70, "running")
    return lab


def test_the_jobs_token_is_used_where_it_may_be() -> None:
    lab = running(FakeGitLab())
    assert adapter(lab).run_state(OWNER) is RunState.ALIVE
    assert [asked.by for asked in lab.asked] == ["job"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_where_the_jobs_token_is_refused_the_other_is_tried(status: int) -> None:
    lab = running(FakeGitLab())
    lab.faults[0] = Fault(name="no", answer=Response(status=status))
    assert adapter(lab).run_state(OWNER) is RunState.ALIVE
    assert [asked.by for asked in lab.asked] == ["job", "own"]
    lab.asked.clear()
    assert adapter(lab, own="").run_state(OWNER) is RunState.UNKNOWN


def test_a_fault_that_is_no_refusal_is_not_asked_for_again_with_more_rights() -> None:
    lab = running(FakeGitLab())
    lab.faults[0] = Fault(name="odd", answer=Response(status=409))
    assert adapter(lab).run_state(OWNER) is RunState.UNKNOWN
    assert len(lab.asked) == 1


def test_without_a_jobs_token_the_other_does_it_all() -> None:
    lab = running(FakeGitLab())
    assert adapter(lab, job="").run_state(OWNER) is RunState.ALIVE
    assert [asked.by for asked in lab.asked] == ["own"]


def test_without_any_token_nothing_is_asked() -> None:
    lab = FakeGitLab()
    with pytest.raises(ForgeFault, match="there is no token") as caught:
        adapter(lab, job="", own="").reviews("production")
    assert "CI_JOB_TOKEN" in caught.value.hint
    assert not lab.asked


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/api/v4/user",
        "https://gitlab.example.evil.example/api/v4/user",
        "http://gitlab.example/api/v4/user",
        "https://gitlab.example/other",
        "https://gitlab.example/api/v4.evil.example/",
        "https://gitlab.example@evil.example/api/v4/user",
    ],
)
def test_no_token_goes_anywhere_but_to_our_gitlab(url: str) -> None:
    lab, token = FakeGitLab(), Token(header="JOB-TOKEN", secret=JOB)
    transport = Transport(lab, FakeClock(), api=API, tokens=(token,))
    with pytest.raises(GitLabFault, match="not at our GitLab"):
        transport.do(Ask(method="GET", url=url, kind="application/json"), token)
    assert not lab.asked


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    lab = FakeGitLab()
    answer = Response(status=status, headers={"location": "https://evil.example/"})
    lab.faults[0] = Fault(name="elsewhere", answer=answer)
    with pytest.raises(ForgeFault, match="sends us elsewhere") as caught:
        adapter(lab).comment("plan", "text")
    assert "CI_API_V4_URL" in caught.value.hint
    assert len(lab.asked) == 1
    assert "evil" not in f"{caught.value}"


def test_a_gitlab_below_a_path_is_asked_there() -> None:
    lab = running(FakeGitLab(api="https://host.example/git/api/v4"))
    run = replace(RUN, api="https://host.example/git/api/v4")
    assert adapter(lab, run).run_state(OWNER) is RunState.ALIVE


def test_no_token_is_seen_in_anything_that_is_shown() -> None:
    token = Token(header="JOB-TOKEN", secret=JOB)
    ask = Ask(method="GET", url=f"{API}/user", kind="application/json", body=JOB.encode())
    assert JOB not in repr(token) + repr(ask)
    lab = FakeGitLab()
    lab.faults[0] = Fault(name="x", answer=Response(status=400, body=b'{"message": "%s"}' % OWN.encode()))
    with pytest.raises(ForgeFault, match=r"GitLab answered 400 \(\*\*\*\)") as caught:
        adapter(lab).comment("plan", "text")
    check_fault(caught.value)


def test_a_token_that_is_cut_off_is_not_seen_in_part() -> None:
    lab = FakeGitLab()
    long = "x" * 180 + OWN
    lab.faults[0] = Fault(name="x", answer=Response(status=400, body=b'{"message": "%s"}' % long.encode()))
    with pytest.raises(ForgeFault) as caught:
        adapter(lab).comment("plan", "text")
    assert OWN[:6] not in str(caught.value)


def test_a_wait_that_gitlab_asks_for_is_kept() -> None:
    lab, clock = running(FakeGitLab()), FakeClock()
    lab.faults[0] = Fault(name="slow", answer=Response(status=429, headers={"retry-after": "17"}))
    assert adapter(lab, clock=clock).run_state(OWNER) is RunState.ALIVE
    assert clock.slept == [17.0]


def test_all_waiting_together_has_an_end() -> None:
    lab, clock = FakeGitLab(), FakeClock()
    lab.faults = dict.fromkeys(
        range(100), Fault(name="slow", answer=Response(status=429, headers={"retry-after": "25"}))
    )
    forge = adapter(lab, clock=clock)
    for job in range(3):
        assert forge.run_state(f"gitlab:acme/shop/6/{70 + job}/deploy") is RunState.UNKNOWN
    assert sum(clock.slept) <= PATIENCE
    assert clock.slept == [25.0, 25.0]


def test_what_fails_for_a_while_is_tried_again_with_growing_pauses() -> None:
    lab, clock = running(FakeGitLab()), FakeClock()
    lab.faults = {
        0: Fault(name="1", answer=Response(status=502)),
        1: Fault(name="2", answer=TimedOut("late")),
        2: Fault(name="3", answer=Response(status=503)),
    }
    assert adapter(lab, clock=clock).run_state(OWNER) is RunState.ALIVE
    assert clock.slept == [1.0, 2.0, 4.0]


def test_a_list_without_end_is_given_up() -> None:
    lab = FakeGitLab(page=1)
    for number in range(100, 100 + 2 * PAGES):
        lab.world.job(number, "running")
    assert adapter(lab).run_state(OWNER) is RunState.UNKNOWN
    assert len(lab.asked) == PAGES


def test_pages_in_a_circle_are_noticed_at_once() -> None:
    lab = FakeGitLab()
    lab.faults[0] = Fault(
        name="circle", answer=Response(status=200, headers={"x-next-page": "1"}, body=b"[]")
    )
    assert adapter(lab).run_state(OWNER) is RunState.UNKNOWN
    assert len(lab.asked) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "not valid, or no more"), (403, "may the token see it"), (404, "does it exist")],
)
def test_a_refusal_says_which_token_it_takes(status: int, words: str) -> None:
    lab = FakeGitLab()
    lab.faults[0] = Fault(name="no", answer=Response(status=status))
    with pytest.raises(ForgeFault, match=rf"GitLab answered {status}") as caught:
        adapter(lab).branch_rules("main")
    assert words in caught.value.hint
    assert (
        "GITLAB_TOKEN: an access token with the scope `read_api` and the role Maintainer" in caught.value.hint
    )


def test_every_call_of_the_contract_names_the_page_that_it_is_from() -> None:
    pages = [
        call["externalDocs"]["url"]
        for methods in document()["paths"].values()
        for method, call in methods.items()
        if method != "parameters"
    ]
    assert len(pages) >= 30
    assert all(page.startswith("https://docs.gitlab.com/") for page in pages)


def test_neither_the_library_nor_the_network_is_loaded_before_something_is_asked() -> None:
    import ast
    from pathlib import Path

    import ci_lib.forge.gitlab as module

    tree = ast.parse(Path(module.__file__).read_text())
    loaded = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert loaded == {
        "collections.abc",
        "functools",
        "pathlib",
        "typing",
        "ci_lib.domain.forge",
        "ci_lib.forge.gitlab_run",
        "ci_lib.ports.protocols",
    }
