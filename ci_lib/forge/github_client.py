"""PyGithub with our transport below it; loaded when GitHub is asked something for the first time.

It is used to tell GitHub things; what GitHub is asked is read as JSON (``github_json.py``).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import IOBase
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from github import Auth, BadAttributeException, GithubException
from github.Repository import Repository
from github.Requester import Requester

from ci_lib.domain.forge import ForgeFault
from ci_lib.forge.github_transport import Ask, GitHubFault, Transport
from ci_lib.ports.protocols import Response
from ci_lib.version import VERSION

T = TypeVar("T")

_PAGE: Final = 100
_OTHER_SHAPE: Final = (
    GithubException,
    BadAttributeException,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
)
_API: Final = "2022-11-28"


class OurRequester(Requester):
    """PyGithub's, but never copied into one with another network."""

    def withLazy(self, lazy: object) -> Requester:  # noqa: N802 - PyGithub's name
        """Itself: everything is lazy here."""
        del lazy
        return self

    def withApiVersion(self, api_version: str | None) -> Requester:  # noqa: N802 - PyGithub's name
        """Itself: one version is spoken."""
        del api_version
        return self


def repository(name: str, *, api: str, token: str, transport: Transport) -> Repository:
    """The repository ``acme/shop``, about which nothing was asked yet; ``api`` is GITHUB_API_URL."""

    class Requests(OurRequester):
        """A class of its own, since PyGithub keeps the way to the network in the class."""

    Requests.injectConnectionClasses(
        partial(_Connection, "http", api, transport),  # type: ignore[arg-type]  # both are called alike
        partial(_Connection, "https", api, transport),  # type: ignore[arg-type]  # as above
    )
    requester = Requests(
        auth=Auth.Token(token),
        base_url=api,
        timeout=0,
        user_agent=f"deploy-actions/{VERSION}",
        per_page=_PAGE,
        verify=True,
        retry=None,
        pool_size=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
        lazy=True,
        api_version=_API,
    )
    return Repository(requester, url=f"/repos/{name}")


class _Connection:
    """What PyGithub takes for a connection to a host: that of the API, or the one beside it for uploads.

    Where files are uploaded stands in an answer. PyGithub would follow that to any host of github.com.
    """

    def __init__(
        self, scheme: str, api: str, transport: Transport, host: str, port: int | None = None, **_: object
    ) -> None:
        own = urlsplit(api)
        uploads = f"uploads.{(own.hostname or '').removeprefix('api.')}"
        del port  # a part of the API's address; GitHub's uploads have none
        if scheme != own.scheme or host not in (own.hostname, uploads):
            raise GitHubFault("GitHub sends us to another host", hint="check GITHUB_API_URL, and proxies")
        self.host = host
        self._base = f"{scheme}://{own.netloc if host == own.hostname else uploads}"
        self._transport = transport
        self._answer: Response | None = None

    def request(
        self, verb: str, url: str, body: object, headers: Mapping[str, str], stream: bool = False
    ) -> None:
        """Do it, and keep the answer."""
        del stream
        data: Any = body.read() if isinstance(body, IOBase) else body or b""
        data = data.encode() if isinstance(data, str) else data
        ask = Ask(method=verb, url=f"{self._base}{url}", headers=headers, body=data)
        self._answer = self._transport.do(ask)

    def getresponse(self) -> "_Answer":
        """The answer to the request before."""
        assert self._answer is not None
        return _Answer(self._answer)

    def close(self) -> None:
        """Nothing is open."""


class _Answer:
    """What PyGithub takes for an answer."""

    def __init__(self, answer: Response) -> None:
        self.status = answer.status
        self._answer = answer

    def getheaders(self) -> Iterable[tuple[str, str]]:
        """Names and values."""
        return self._answer.headers.items()

    def read(self) -> str:
        """The body."""
        return self._answer.body.decode()


@contextmanager
def asking(what: str, *, needs: str) -> Iterator[None]:
    """Turn whatever goes wrong into a ``ForgeFault`` that says that ``what`` cannot be had.

    ``needs`` is the permission of a workflow's token (``actions: read``), or in words who may ask at all.
    PyGithub meets answers of another shape with assertions and errors of its own; their texts quote the
    answer, and so are not shown.
    """
    try:
        yield
    except GitHubFault as fault:
        hint = fault.hint or _hint(fault.status, needs)
        raise ForgeFault(f"{what} cannot be had: {fault}", hint=hint) from None
    except _OTHER_SHAPE:
        raise ForgeFault(
            f"{what} cannot be had: GitHub's answer is none that its documentation knows",
            hint="is GITHUB_API_URL that of a GitHub of today?",
        ) from None


def _hint(status: int, needs: str) -> str:
    match status:
        case 401:
            return "the token is not valid, or no more: a job's own ends with the job"
        case 403 | 404:
            return f"does it exist, and may the token see it? {_permission(needs)}"
        case _:
            return "try again; GitHub's own state: https://www.githubstatus.com"


def _permission(needs: str) -> str:
    return f"the job needs `permissions: {needs}`" if ": " in needs else needs
