"""How long is tried to write to a registry: a bound for all of it together, and pauses between the tries."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ci_lib.domain.errors import DeployError
from ci_lib.images.fetch import Passing
from ci_lib.ports.protocols import NO_ENV, Clock, Net, Response, TimedOut

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Seconds between the tries, before each is spread by half; there is one try more than there are pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A ``Net`` for which all requests together have to be over at ``until``, by ``clock.monotonic``.

    A registry is asked many things for one purpose, and each may just stay within its own time limit.
    """

    net: Net
    clock: Clock
    until: float

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_ENV,
        body: bytes = b"",
        timeout: float,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        """Do what ``Net.request`` does; raise ``TimedOut`` without a request when the time is over."""
        left = self.until - self.clock.monotonic()
        if left <= 0:
            raise TimedOut("the time for everything that was to be asked there is over")
        return self.net.request(
            method,
            url,
            headers=headers,
            body=body,
            timeout=min(timeout, left),
            limit=limit,
            connect_to=connect_to,
        )

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        """Do what ``Net.talk`` does; a registry is not talked to without HTTP."""
        return self.net.talk(address, port, send=send, receive=receive, timeout=timeout)


def bounded(net: Net, clock: Clock, seconds: float) -> Bounded:
    """Give ``net`` that many seconds from now."""
    return Bounded(net=net, clock=clock, until=clock.monotonic() + seconds)


def persist(attempt: Callable[[], bool], *, seed: str, clock: Clock, lost: DeployError) -> None:
    """Call ``attempt`` until it returns True, with growing pauses.

    They are spread by ``seed``, so that writers who got into each other's way do not meet again. When
    patience ends, the last ``Passing`` that was raised is raised, or ``lost`` if the last try just had no
    effect; any other fault is raised at once.
    """
    last = lost
    for number in range(len(PAUSES) + 1):
        if number:
            clock.sleep(PAUSES[number - 1] * (0.5 + _fraction(f"{seed} {number}")))
        try:
            if attempt():
                return
            last = lost
        except Passing as passing:
            last = passing
    raise last


def _fraction(text: str) -> float:
    """A number from 0 to 1 that looks like chance, and is the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
