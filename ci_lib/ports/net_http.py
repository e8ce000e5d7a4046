"""One HTTP request with the requests library, which is loaded with this module: only when one is made."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from ci_lib.ports.wording import plain_url

if TYPE_CHECKING:
    from requests.adapters import _HostParams, _PoolKwargs

_CHUNK = 65_536

# Bodies are hashed as they come, so nobody shall pack them on the way.
_HEADERS = {"User-Agent": "deploy-actions", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One HTTP request; the fields are the arguments of ``protocols.Net.request``, and the environment."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    timeout: float
    limit: int
    connect_to: tuple[str, int] | None
    env: Mapping[str, str] = field(repr=False)


def ask(question: Question) -> Response:
    """Do the request; raise ``Unreachable`` or ``TimedOut`` with a text that quotes no credentials."""
    place = plain_url(question.url)
    try:
        with _session(question) as session:
            return _answer(session, question)
    except requests.Timeout:
        raise TimedOut(f"{place} did not answer within {question.timeout:g} s") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        # ValueError: a URL or header that is none. The library's own text quotes the URL, so it is not shown.
        raise Unreachable(f"{place} cannot be reached: {reason(error)}") from None


class ConnectTo(HTTPAdapter):
    """Connects to ``address:port`` whatever the URL says, while TLS checks the name in the URL."""

    def __init__(self, address: str, port: int) -> None:
        self._place = (address, port)
        super().__init__()

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: bool | str,
        cert: str | tuple[str, str] | None = None,
    ) -> "tuple[_HostParams, _PoolKwargs]":
        """Return where to connect and how."""
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            name = {"server_hostname": host["host"]}
            options.update(name)  # type: ignore[typeddict-item]  # urllib3 knows it, the stubs do not
        host["host"], host["port"] = self._place
        return host, options


def _session(question: Question) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update({**_HEADERS, **question.headers})
    if question.connect_to is not None:
        parts = urlsplit(question.url)
        session.headers["Host"] = parts.netloc.rpartition("@")[2]
        session.mount(f"{parts.scheme}://", ConnectTo(*question.connect_to))
    return session


def _answer(session: requests.Session, question: Question) -> Response:
    deadline = time.monotonic() + question.timeout
    with session.request(
        question.method,
        question.url,
        data=question.body or None,
        timeout=question.timeout,
        allow_redirects=False,
        stream=True,
        proxies=proxies(question),
        verify=question.env.get("REQUESTS_CA_BUNDLE") or True,
    ) as response:
        body = b""
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) >= question.limit:
                break
            if time.monotonic() >= deadline:  # nobody waits any more
                raise requests.Timeout
        return Response(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body[: question.limit],
        )


def proxies(question: Question) -> dict[str, str]:
    """Which proxy to ask for each scheme; none where the way is direct."""
    env = question.env
    skipped = env.get("no_proxy") or env.get("NO_PROXY") or ""
    host = urlsplit(question.url).hostname or ""
    if question.connect_to is not None or _is_loopback(host) or should_bypass_proxies(question.url, skipped):
        return {}
    found = {name: env.get(f"{name}_proxy") or env.get(f"{name.upper()}_PROXY") for name in ("http", "https")}
    return {name: proxy for name, proxy in found.items() if proxy}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def reason(error: BaseException) -> str:
    """Say why a request failed: by its first cause that has words of its own."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({_said(cause, 'verify_message')})"
            case ssl.SSLError():
                return f"TLS does not come about ({_said(cause, 'reason')})"
            case socket.gaierror():
                return "its name cannot be resolved"
            case http.client.RemoteDisconnected():
                return "the connection was closed without an answer"
            case OSError(strerror=str(why)):
                return why
    return type(error).__name__


def _said(error: ssl.SSLError, attribute: str) -> str:
    # Only errors that OpenSSL itself made have these.
    return one_line(str(getattr(error, attribute, None) or "no reason given"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it stands for; urllib3 keeps the cause in ``reason`` or among the arguments."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (getattr(current, "reason", None), *current.args, current.__cause__, current.__context__)
        waiting += [each for each in inner if isinstance(each, BaseException)]
