"""How requests reach GitHub: bounded in time, tried again where that is safe, faults in our own words.

PyGithub's own transport is not used: it reads proxies from the environment by itself, bounds each read and
not the whole, waits without end for a 202, drops the query when it follows a 301, and its exceptions hold
headers and bodies. What GitHub asks of its clients:
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import Clock, Net, PortFault, Response

PATIENCE: Final = 60.0
"""Seconds that a transport may lose in its life by waiting and by tries without an answer."""

ANSWER_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of one answer: a page of a hundred comments may have 65536 characters each."""

_TIMEOUT: Final = 20.0
_UPLOAD_TIMEOUT: Final = 300.0
_PAUSE: Final = 1.0
_SECONDARY: Final = 60.0  # how long to wait for a secondary limit of which nothing else is said
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_FOLLOWED: Final = 3


class GitHubFault(ForgeFault):
    """GitHub refused, or gave no answer; ``status`` is 0 where there was none. ``said`` is its message."""

    def __init__(self, message: str, *, status: int = 0, said: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: ``url`` is absolute; ``again`` says that doing it twice does no harm."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")

    @property
    def place(self) -> str:
        """What is shown of it: neither host nor query."""
        return one_line(f"{self.method} {urlsplit(self.url).path}", 200)

    @property
    def again(self) -> bool:
        """A POST whose answer was lost may have been done; all others end in the same state."""
        return self.method != "POST" or urlsplit(self.url).path.endswith("/graphql")

    @property
    def timeout(self) -> float:
        """Seconds that the answer may take."""
        kind = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        return _UPLOAD_TIMEOUT if self.body and "json" not in kind else _TIMEOUT


class Transport:
    """Does requests; ``token`` is taken out of every text that is shown."""

    def __init__(self, net: Net, clock: Clock, token: str) -> None:
        self._net = net
        self._clock = clock
        self._token = token
        self._patience = PATIENCE

    def do(self, ask: Ask) -> Response:
        """Answer with a 2xx whose body is JSON, or empty; raises ``GitHubFault`` for all else."""
        tries = 0
        while True:
            begun = self._clock.monotonic()
            try:
                return self._once(ask)
            except _Later as later:
                self._patience -= self._clock.monotonic() - begun
                wait = _PAUSE * 2**tries if later.wait is None else later.wait
                if wait > self._patience:
                    raise later.fault from None
                self._patience -= wait
                tries += 1
                self._clock.sleep(wait)

    def _once(self, ask: Ask) -> Response:
        answer = self._asked(ask)
        for _ in range(_FOLLOWED):
            if answer.status not in _REDIRECTS:
                break
            ask = self._moved(ask, answer.headers.get("location", ""))
            answer = self._asked(ask)
        if answer.status == 202 and ask.method == "GET":
            raise _Later(self._fault(ask, answer, "is still being computed"))
        if 200 <= answer.status < 300:
            return self._readable(ask, answer)
        raise self._refused(ask, answer)

    def _asked(self, ask: Ask) -> Response:
        try:
            return self._net.request(
                ask.method,
                ask.url,
                headers=ask.headers,
                body=ask.body,
                timeout=ask.timeout,
                limit=ANSWER_LIMIT,
            )
        except PortFault as fault:
            text = self._clean(f"{ask.place}: {fault}")
            told = GitHubFault(text, hint="try again; is GitHub, or a proxy on the way, down?")
            raise (_Later(told) if ask.again else told) from None

    def _moved(self, ask: Ask, location: str) -> Ask:
        """The same request at its new place (a renamed repository); the token goes to no other host."""
        old, new = urlsplit(ask.url), urlsplit(location)
        if (new.scheme, new.netloc) != (old.scheme, old.netloc):
            raise GitHubFault(
                f"{ask.place}: GitHub sends us to another host",
                hint="check GITHUB_API_URL, and proxies on the way",
            )
        return Ask(method=ask.method, url=location, headers=ask.headers, body=ask.body)

    def _readable(self, ask: Ask, answer: Response) -> Response:
        try:
            if answer.body or ask.method == "GET":
                json.loads(answer.body)
        except (ValueError, RecursionError):
            raise GitHubFault(
                f"{ask.place}: the answer is no JSON, or more than {ANSWER_LIMIT // 1024**2} MiB",
                hint="a proxy may have answered in GitHub's place",
            ) from None
        return answer

    def _refused(self, ask: Ask, answer: Response) -> Exception:
        fault = self._fault(ask, answer, f"GitHub answered {answer.status}")
        wait = self._limited(answer, fault.said)
        if wait is not None:
            return _Later(
                GitHubFault(
                    f"{fault}: its rate limit is used up for {wait:.0f} s more",
                    status=429,
                    said=fault.said,
                    hint="run again later, or with a token of its own, whose limit is its own",
                ),
                wait,
            )
        return _Later(fault) if answer.status >= 500 and ask.again else fault

    def _fault(self, ask: Ask, answer: Response, what: str) -> GitHubFault:
        said = self._clean(_message(answer.body))
        told = f"{ask.place}: {what}" + (f" ({said})" if said else "")
        return GitHubFault(told, status=answer.status, said=said)

    def _limited(self, answer: Response, said: str) -> float | None:
        """Seconds to wait for a primary or secondary rate limit; None where it is none."""
        headers = answer.headers
        used_up = headers.get("x-ratelimit-remaining") == "0"
        named = "rate limit" in said.lower()
        if answer.status not in (403, 429) or not (
            answer.status == 429 or used_up or named or "retry-after" in headers
        ):
            return None
        after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
        if after.isdecimal():
            return float(after[:9])
        if used_up and reset.isdecimal():
            return max(1.0, float(reset[:12]) - self._clock.now().timestamp())
        return _SECONDARY

    def _clean(self, text: str) -> str:
        return text.replace(self._token, "***")


class _Later(Exception):
    """It may go better later: after ``wait`` seconds, or after a growing pause."""

    def __init__(self, fault: GitHubFault, wait: float | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.wait = wait


def _message(body: bytes) -> str:
    """What GitHub says for people in the answer to a request that it refuses."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    said = found.get("message") if isinstance(found, dict) else None
    return one_line(said, 200) if isinstance(said, str) else ""
