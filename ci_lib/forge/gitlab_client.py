"""python-gitlab with our transport below it; loaded when GitLab is asked something for the first time.

A manager of python-gitlab does what is written; what is read is read as JSON (``gitlab_json.py``).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from gitlab import Gitlab, GitlabError
from gitlab.v4.objects import Project

from ci_lib.domain.forge import ForgeFault
from ci_lib.forge.gitlab_run import GitLabRun
from ci_lib.forge.gitlab_transport import REFUSED, Ask, GitLabFault, Token, Transport
from ci_lib.ports.protocols import Clock, Net, Response

T = TypeVar("T")

BY_JOB: Final = (
    "a job's token is enough for it where whoever started the job has the Developer role, "
    "and the project's job token permissions do not take it away"
)
_OWN: Final = "PRIVATE-TOKEN"
_OTHER_SHAPE: Final = (
    GitlabError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
)


def own_token(role: str, scope: str = "api") -> str:
    """In words, what GITLAB_TOKEN has to be for something that no job's token may."""
    return f"it takes GITLAB_TOKEN: an access token with the scope `{scope}` and the role {role}"


class Access:
    """The project by each token that there is; nothing is asked by making it."""

    def __init__(self, run: GitLabRun, net: Net, clock: Clock, *, job: str, own: str) -> None:
        tokens = (Token(header="JOB-TOKEN", secret=job), Token(header=_OWN, secret=own))
        self._tokens = tuple(token for token in tokens if token.secret)
        self._transport = Transport(net, clock, api=run.api, tokens=self._tokens)
        self._run = run
        self._projects: dict[str, Project] = {}

    def first(self, ask: Callable[[Project], T]) -> T:
        """What is asked with the job's own token, or with GITLAB_TOKEN where that one is refused."""
        if not self._tokens:
            raise GitLabFault("there is no token", hint="is CI_JOB_TOKEN handed on to this process?")
        *others, last = self._tokens
        for token in others:
            try:
                return ask(self._by(token))
            except GitLabFault as fault:
                if fault.status not in REFUSED:
                    raise
        return ask(self._by(last))

    def own(self, needs: str) -> Project:
        """The project by GITLAB_TOKEN; raises ``GitLabFault`` without one. ``needs`` is by ``own_token``."""
        for token in self._tokens:
            if token.header == _OWN:
                return self._by(token)
        raise GitLabFault("no job's token may do that, and GITLAB_TOKEN is not set", hint=needs)

    def _by(self, token: Token) -> Project:
        # Made when it is needed: python-gitlab makes a manager of each kind of thing that GitLab has.
        if token.header not in self._projects:
            gitlab = Gitlab(
                self._run.api.removesuffix("/api/v4"),
                keep_base_url=True,
                backend=lambda **_: _Backend(self._transport, token),
            )
            self._projects[token.header] = gitlab.projects.get(self._run.project, lazy=True)
        return self._projects[token.header]


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """What python-gitlab is told about the body of a request."""

    content_type: str
    json: Any = None
    data: Any = None


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What python-gitlab takes for an answer of the requests library."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]
    reason: str = ""
    history: tuple[()] = ()
    links: Mapping[str, Any] = field(default_factory=dict)

    @property
    def response(self) -> "_Answer":
        """Itself."""
        return self

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body; raises ``ValueError`` where it is empty."""
        return json.loads(self.content)


class _Backend:
    """What python-gitlab takes for its way to the network."""

    client: None = None

    def __init__(self, transport: Transport, token: Token) -> None:
        self._transport = transport
        self._token = token

    @staticmethod
    def prepare_send_data(files: object = None, post_data: object = None, raw: bool = False) -> _Sent:
        """JSON, or bytes as they are; no form is ever sent."""
        del files
        if raw:
            return _Sent(content_type="application/octet-stream", data=post_data)
        return _Sent(content_type="application/json", json=post_data)

    def http_request(
        self,
        *,
        method: str,
        url: str,
        json: object = None,
        data: bytes | None = None,
        params: Mapping[str, object],
        headers: Mapping[str, str],
        **_: object,
    ) -> _Answer:
        """Do it."""
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        body = data if data is not None else b"" if json is None else _encoded(json)
        ask = Ask(method=method.upper(), url=f"{url}{query}", kind=headers["Content-type"], body=body)
        return _told(self._transport.do(ask, self._token))


def _encoded(value: object) -> bytes:
    # Not within the method, whose argument has the module's name.
    return json.dumps(value).encode()


def _told(answer: Response) -> _Answer:
    # The transport has seen that it is JSON, whatever a proxy calls it.
    headers = {"Content-Type": "application/json"}
    more = {name: answer.headers[name] for name in ("x-next-page",) if name in answer.headers}
    return _Answer(status_code=answer.status, content=answer.body, headers=headers | more)


@contextmanager
def asking(what: str, *, needs: str = BY_JOB) -> Iterator[None]:
    """Turn whatever goes wrong into a ``ForgeFault`` that says that ``what`` cannot be had.

    ``needs`` says in words who may ask. python-gitlab meets answers of another shape with errors of its own
    whose texts quote the answer; they are not shown.
    """
    try:
        yield
    except GitLabFault as fault:
        hint = fault.hint or _hint(fault.status, needs)
        raise ForgeFault(f"{what} cannot be had: {fault}", hint=hint) from None
    except _OTHER_SHAPE:
        raise ForgeFault(
            f"{what} cannot be had: GitLab's answer is none that its documentation knows",
            hint="is CI_API_V4_URL that of a GitLab of today?",
        ) from None


def _hint(status: int, needs: str) -> str:
    if status == 401:
        return f"the token is not valid, or no more (a job's own ends with the job), or may not ask; {needs}"
    if status in REFUSED:
        return f"does it exist, and may the token see it? {needs}"
    return "try again; if it stays so, ask who runs this GitLab"
