"""How requests reach GitLab: bounded in time, tried again where that is safe, faults in our own words.

python-gitlab's own transport is not used: it reads proxies from the environment by itself, bounds each read
and not the whole, follows redirects with the token, waits as long as Retry-After says, and its exceptions
hold bodies. It never gets a token: that is put into a request here, after looking where the request goes.

Source: https://docs.gitlab.com/api/rest/ (authentication, status codes),
https://docs.gitlab.com/security/rate_limits/
"""

import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import Clock, Net, PortFault, Response
from ci_lib.version import VERSION

PATIENCE: Final = 60.0
"""Seconds that a transport may lose in its life by waiting and by tries without an answer."""

ANSWER_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of one answer: a page of a hundred notes may have a million characters each, but never has."""

REFUSED: Final = frozenset({401, 403, 404})
"""Answers to a request that another token may be allowed; GitLab hides what one may not see behind 404."""

_TIMEOUT: Final = 20.0
_UPLOAD_TIMEOUT: Final = 300.0
_PAUSE: Final = 1.0


class GitLabFault(ForgeFault):
    """GitLab refused, or gave no answer; ``status`` is 0 where there was none."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and the header in which GitLab takes it: JOB-TOKEN or PRIVATE-TOKEN."""

    header: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: ``url`` is absolute; ``kind`` is the content type of ``body``."""

    method: str
    url: str
    kind: str
    body: bytes = field(repr=False, default=b"")

    @property
    def place(self) -> str:
        """What is shown of it: neither host nor query."""
        return one_line(f"{self.method} {urlsplit(self.url).path}", 200)

    @property
    def is_file(self) -> bool:
        """Whether a file is uploaded."""
        return "json" not in self.kind

    @property
    def again(self) -> bool:
        """Whether doing it twice ends in the same state. A package keeps two files of one name."""
        return self.method != "POST" and not self.is_file


class Transport:
    """Does requests below ``api``; ``tokens`` are taken out of every text that is shown."""

    def __init__(self, net: Net, clock: Clock, *, api: str, tokens: tuple[Token, ...]) -> None:
        self._net = net
        self._clock = clock
        self._api = api
        self._tokens = tokens
        self._patience = PATIENCE

    def do(self, ask: Ask, token: Token) -> Response:
        """Answer with a 2xx whose body is JSON, or empty; raises ``GitLabFault`` for all else."""
        if not ask.url.startswith(f"{self._api}/"):
            raise GitLabFault(f"{ask.place}: that is not at our GitLab", hint="check CI_API_V4_URL")
        tries = 0
        while True:
            begun = self._clock.monotonic()
            try:
                return self._once(ask, token)
            except _Later as later:
                self._patience -= self._clock.monotonic() - begun
                wait = _PAUSE * 2**tries if later.wait is None else later.wait
                if wait > self._patience:
                    raise later.fault from None
                self._patience -= wait
                tries += 1
                self._clock.sleep(wait)

    def _once(self, ask: Ask, token: Token) -> Response:
        answer = self._asked(ask, token)
        if 200 <= answer.status < 300:
            return self._readable(ask, answer)
        raise self._refused(ask, answer)

    def _asked(self, ask: Ask, token: Token) -> Response:
        headers = {
            token.header: token.secret,
            "Accept": "application/json",
            "User-Agent": f"deploy-actions/{VERSION}",
        }
        try:
            return self._net.request(
                ask.method,
                ask.url,
                headers=headers | ({"Content-Type": ask.kind} if ask.body else {}),
                body=ask.body,
                timeout=_UPLOAD_TIMEOUT if ask.is_file else _TIMEOUT,
                limit=ANSWER_LIMIT,
            )
        except PortFault as fault:
            hint = "try again; is GitLab, or a proxy on the way, down?"
            told = GitLabFault(self._clean(f"{ask.place}: {fault}"), hint=hint)
            raise (_Later(told) if ask.again else told) from None

    def _readable(self, ask: Ask, answer: Response) -> Response:
        try:
            if answer.body:
                json.loads(answer.body)
        except (ValueError, RecursionError):
            raise GitLabFault(
                f"{ask.place}: the answer is no JSON, or more than {ANSWER_LIMIT // 1024**2} MiB",
                hint="a proxy, or a page to sign in, may have answered in GitLab's place",
            ) from None
        return answer

    def _refused(self, ask: Ask, answer: Response) -> Exception:
        said = _message(self._clean(answer.body.decode(errors="replace")))
        what = f"{ask.place}: GitLab answered {answer.status}" + (f" ({said})" if said else "")
        if 300 <= answer.status < 400:
            return GitLabFault(
                f"{what}, which sends us elsewhere", hint="no token goes there: check CI_API_V4_URL"
            )
        fault = GitLabFault(what, status=answer.status)
        if answer.status == 429:
            after = answer.headers.get("retry-after", "")
            limited = GitLabFault(f"{what}: too many requests", status=429, hint="run again later")
            return _Later(limited, float(after[:9]) if after.isascii() and after.isdecimal() else None)
        return _Later(fault) if answer.status >= 500 and ask.again else fault

    def _clean(self, text: str) -> str:
        for token in self._tokens:
            text = text.replace(token.secret, "***")
        return text


class _Later(Exception):
    """It may go better later: after ``wait`` seconds, or after a growing pause."""

    def __init__(self, fault: GitLabFault, wait: float | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.wait = wait


def _message(body: str) -> str:
    """What GitLab says in the answer to a request that it refuses: ``message``, or ``error``.

    ``message`` is a text, or the mistakes by the name of the field.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    said = found.get("message") or found.get("error") or ""
    return one_line(said if isinstance(said, str) else json.dumps(said), 200)
