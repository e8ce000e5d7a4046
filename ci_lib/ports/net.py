"""HTTP and TCP from the machine that we run on."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import NO_ENV, Response, TimedOut, Unreachable
from ci_lib.ports.wording import plain_url

T = TypeVar("T")


class RequestsNet:
    """HTTP by way of requests; ``env`` is the process environment, for proxies and certificates.

    HTTPS_PROXY, HTTP_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE count, the proxies not for loopback. Passwords
    in ``.netrc`` do not: what is sent is what the caller gave.
    """

    def __init__(self, env: Mapping[str, str] = NO_ENV) -> None:
        self._env = env

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
        """Do one HTTP request within ``timeout`` seconds in all.

        ``body`` is sent; a body that comes back is cut off at ``limit`` bytes.
        ``connect_to`` is where to connect instead of the URL's own host and port; the Host header and the
        name in TLS stay the URL's. Raises ``Unreachable`` or ``TimedOut``.
        """

        def work() -> Response:
            # Loading requests takes a tenth of a second, which most commands can do without.
            from ci_lib.ports.net_http import Question, ask

            return ask(
                Question(
                    method=method,
                    url=url,
                    headers=headers,
                    body=body,
                    timeout=timeout,
                    limit=limit,
                    connect_to=connect_to,
                    env=self._env,
                )
            )

        return _within(timeout, plain_url(url), work)

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        """Open a TCP connection, send ``send``, return at most ``receive`` bytes of what comes first.

        Empty when ``receive`` is 0 or the other side hangs up. Raises ``Unreachable`` or ``TimedOut``.
        """
        place = f"{one_line(address)}:{port}"

        def work() -> bytes:
            deadline = time.monotonic() + timeout
            try:
                with socket.create_connection((address, port), timeout=timeout) as line:
                    line.settimeout(max(0.001, deadline - time.monotonic()))
                    line.sendall(send)
                    line.settimeout(max(0.001, deadline - time.monotonic()))
                    return line.recv(receive) if receive else b""
            except TimeoutError:
                raise TimedOut(f"{place} did not answer within {timeout:g} s") from None
            except socket.gaierror:
                raise Unreachable(f"{place} cannot be reached: its name cannot be resolved") from None
            except (OSError, OverflowError, UnicodeError) as error:  # no such port, no possible name
                why = getattr(error, "strerror", None) or error
                raise Unreachable(f"{place} cannot be reached: {why}") from None

        return _within(timeout, place, work)


def _within(timeout: float, place: str, work: Callable[[], T]) -> T:
    """Return what ``work`` returns or raise what it raises, at most ``timeout`` seconds from now.

    It runs in a thread that is left behind when it is late. Time-outs of sockets are not enough: they count
    anew for each read, so a byte now and then would hold us for ever, and name look-ups know none.
    """
    results: list[T] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout)
    if results:
        return results[0]
    raise faults[0] if faults else TimedOut(f"{place} did not answer completely within {timeout:g} s")
