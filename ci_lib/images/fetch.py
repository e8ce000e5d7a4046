"""Requests to a registry: bounded patience with a busy one, careful redirects, errors for users."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Clock, Net, PortFault, Response, TimedOut, Unreachable

BACK_OFF = (1.0, 3.0)
"""Seconds between the tries; there is one try more than there are pauses."""

LIMIT = 4 * 1024 * 1024
"""The largest manifest that registries must accept (OCI distribution specification), in bytes."""

_MOVED = frozenset({301, 302, 303, 307, 308})
_HOPS = 3
_SILENT = "is the registry up, is its name right, and may this machine reach it?"


class Denied(DeployError):
    """The registry answered, and refused: the login, or what was asked for."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, reason=Reason.REGISTRY)


class NotLoggedIn(DeployError):
    """The registry wants a login, and there is none for it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, reason=Reason.REGISTRY)


class NotThere(DeployError):
    """What was asked for is not there; ``code`` is the registry's own, empty where it gives none."""

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, reason=Reason.IMAGE_MISSING)
        self.code = code


class Silent(DeployError):
    """Nobody answered: whatever else is asked there would wait as long."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, reason=Reason.REGISTRY)


class Passing(DeployError):
    """The registry was busy or did not answer; what was asked of it may go well in a moment."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, reason=Reason.REGISTRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Asks with ``timeout`` seconds a request."""

    net: Net
    clock: Clock
    timeout: float

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """Return the answer to a GET, the last one when the server stays busy (429, 5xx).

        Raises ``Silent`` when nobody answers, ``DeployError`` with REGISTRY when the answer leads astray.
        """
        return self._follow("GET", url, headers)

    def head(self, url: str, headers: Mapping[str, str]) -> Response:
        """Do the same with HEAD: the answer has no body."""
        return self._follow("HEAD", url, headers)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Return the answer to a request that changes something. It is made once, and not redirected.

        Whoever wants to make it again has to look first what has become of it, and of what it was based on.
        Raises ``Passing`` when the server is busy (429, 5xx) or does not answer.
        """
        try:
            response = self.net.request(
                method, url, headers=headers, body=body, timeout=self.timeout, limit=LIMIT
            )
        except PortFault as error:
            raise Passing(f"{_host(url)} does not answer: {error}", hint=_SILENT) from error
        if _busy(response):
            raise Passing(
                f"{_host(url)} cannot take anything now: {status_words(response.status)}",
                hint="look at the registry, its disk first, then run this again",
            )
        return response

    def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        for _ in range(_HOPS):
            response = self._patiently(method, url, headers)
            if response.status not in _MOVED:
                return response
            target = urljoin(url, response.headers.get("location", ""))
            headers = _for_redirect(url, target, headers)
            url = target
        raise fault(f"{_host(url)} redirects more than {_HOPS} times")

    def _patiently(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        for pause in BACK_OFF:
            try:
                response = self._once(method, url, headers)
            except PortFault:
                # A moment's trouble on the way is as common as a busy server; the last try tells.
                pass
            else:
                if not _busy(response):
                    return response
            self.clock.sleep(pause)
        try:
            return self._once(method, url, headers)
        except (TimedOut, Unreachable) as error:
            raise Silent(f"{_host(url)} does not answer: {error}", hint=_SILENT) from error
        except PortFault as error:
            raise fault(f"{_host(url)} does not answer: {error}", hint=_SILENT) from error

    def _once(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        return self.net.request(method, url, headers=headers, timeout=self.timeout, limit=LIMIT)


def fault(message: str, *, hint: str = "") -> DeployError:
    """Make the error for a registry that does not play its part."""
    return DeployError(message, hint=hint, reason=Reason.REGISTRY)


def status_words(status: int) -> str:
    """``503 Service Unavailable``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _busy(response: Response) -> bool:
    return response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= 500


def _for_redirect(url: str, target: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers for the next hop: credentials never go to another server, nor over a plain line."""
    old, new = urlsplit(url), urlsplit(target)
    if (old.scheme, old.netloc) == (new.scheme, new.netloc):
        return headers
    if new.scheme != "https":
        raise fault(f"{_host(url)} redirects to an address without TLS, which is not followed")
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
