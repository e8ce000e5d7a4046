"""How requests reach GitHub: what is tried again, for how long, and what is never shown or sent."""

from collections.abc import Callable

import pytest

from ci_lib.forge.github_transport import PATIENCE, Ask, GitHubFault, Transport
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.fakes import Answer, FakeClock, FakeNet

API = "https://api.github.com"
RUN = f"{API}/repos/acme/shop/actions/runs/7"
ISSUES = f"{API}/repos/acme/shop/issues"
TOKEN = "ghs_0123456789abcdef"


def said(status: int, body: bytes = b"{}", **headers: str) -> Response:
    return Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=body)


def asked(
    answers: Answer | list[Answer] | dict[str, Answer | list[Answer]], method: str = "GET", url: str = RUN
) -> tuple[Callable[[], Response], FakeNet, FakeClock]:
    net = FakeNet(pages=dict(answers) if isinstance(answers, dict) else {url: answers})
    clock = FakeClock()
    ask = Ask(method=method, url=url, headers={"Authorization": f"token {TOKEN}"}, body=b"")
    transport = Transport(net, clock, TOKEN)
    return lambda: transport.do(ask), net, clock


@pytest.mark.parametrize("passing", [said(500), said(502), TimedOut("slow"), Unreachable("gone"), said(202)])
def test_a_question_is_asked_again_after_growing_pauses(passing: Answer) -> None:
    do, net, clock = asked([passing, passing, said(200)])
    assert do().status == 200
    assert clock.slept == [1, 2]
    assert len(net.requests) == 3


@pytest.mark.parametrize("passing", [said(500), TimedOut("slow"), Unreachable("gone")])
def test_what_may_have_been_done_is_not_told_again(passing: Answer) -> None:
    do, net, clock = asked([passing, said(201)], "POST", ISSUES)
    with pytest.raises(GitHubFault):
        do()
    assert (len(net.requests), clock.slept) == (1, [])


def test_a_question_of_graphql_changes_nothing_and_is_asked_again() -> None:
    do, net, _ = asked([said(502), said(200)], "POST", f"{API}/graphql")
    assert do().status == 200
    assert len(net.requests) == 2


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("limited", "wait"),
    [
        (said(429, retry_after="7"), 7),
        (said(403, retry_after="7"), 7),
        (said(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(1767323045 + 30)), 30),
        (said(403, x_ratelimit_remaining="0", x_ratelimit_reset="1"), 1),
        (said(429), 60),
        (said(403, b'{"message": "You have exceeded a secondary rate limit."}'), 60),
    ],
)
def test_a_limit_is_waited_for_whatever_was_asked_since_nothing_was_done(
    method: str, limited: Response, wait: float
) -> None:
    do, _, clock = asked([limited, said(200)], method)
    assert do().status == 200
    assert clock.slept == [wait]


@pytest.mark.parametrize("after", ["61", "3600", "9" * 40])
def test_nobody_waits_longer_than_patience_lasts(after: str) -> None:
    do, _, clock = asked(said(429, retry_after=after))
    with pytest.raises(GitHubFault, match="its rate limit is used up for") as caught:
        do()
    assert "token of its own" in caught.value.hint
    assert clock.slept == []


def test_patience_is_one_for_all_requests() -> None:
    do, _, clock = asked([said(429, retry_after="40"), said(200), said(429, retry_after="40"), said(200)])
    do()
    with pytest.raises(GitHubFault):
        do()
    assert clock.slept == [40]


def test_what_is_always_down_is_given_up() -> None:
    do, net, clock = asked(said(503))
    with pytest.raises(GitHubFault, match="GitHub answered 503"):
        do()
    assert sum(clock.slept) <= PATIENCE
    assert len(net.requests) < 10


def test_a_try_that_hangs_uses_patience_up() -> None:
    clock = FakeClock()

    class Slow(FakeNet):
        def request(self, *words: object, timeout: float, **named: object) -> Response:
            clock.sleep(timeout)
            raise TimedOut("slow")

    ask = Ask(method="GET", url=RUN, headers={}, body=b"")
    with pytest.raises(GitHubFault):
        Transport(Slow(), clock, TOKEN).do(ask)
    assert clock.monotonic() <= PATIENCE + ask.timeout


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_repository_that_was_moved_is_followed_with_method_and_query(status: int, method: str) -> None:
    old, new = f"{ISSUES}?page=2", f"{API}/repositories/5/issues?page=2"
    do, net, _ = asked({old: said(status, location=new), new: said(200, b"[]")}, method, old)
    assert do().body == b"[]"
    assert [(one.method, one.url) for one in net.requests] == [(method, old), (method, new)]


@pytest.mark.parametrize("place", ["https://evil.example/x", "http://api.github.com/x", "/x", "", "//evil/x"])
def test_the_token_goes_to_no_other_host(place: str) -> None:
    do, net, _ = asked(said(301, location=place))
    with pytest.raises(GitHubFault, match="to another host"):
        do()
    assert len(net.requests) == 1


def test_a_circle_of_redirects_ends() -> None:
    do, net, _ = asked(said(301, location=RUN))
    with pytest.raises(GitHubFault, match="GitHub answered 301"):
        do()
    assert len(net.requests) == 4


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_a_fault(body: bytes) -> None:
    do, _, _ = asked(said(200, body))
    with pytest.raises(GitHubFault, match="no JSON"):
        do()


def test_what_was_deleted_answers_with_nothing() -> None:
    do, _, _ = asked(said(204, b""), "DELETE")
    assert do().body == b""


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451])
def test_a_refusal_is_final_and_shows_githubs_words_in_one_line(status: int) -> None:
    body = b'{"message": "no\\n::error::x", "errors": [{"secret": 1}]}'
    do, net, _ = asked(said(status, body))
    with pytest.raises(GitHubFault) as caught:
        do()
    assert str(caught.value) == (
        f"GET /repos/acme/shop/actions/runs/7: GitHub answered {status} (no\\n::error::x)"
    )
    assert caught.value.status == status
    assert len(net.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [said(400, f'{{"message": "token {TOKEN}"}}'.encode()), Unreachable(f"proxy said {TOKEN}")],
)
def test_the_token_is_shown_nowhere(answer: Answer) -> None:
    do, _, _ = asked(answer, "POST", ISSUES)
    with pytest.raises(GitHubFault) as caught:
        do()
    assert TOKEN not in f"{caught.value!r} {caught.value} {caught.value.hint}"
    assert "***" in str(caught.value)
    assert TOKEN not in repr(Ask(method="GET", url=RUN, headers={"Authorization": TOKEN}, body=b""))
