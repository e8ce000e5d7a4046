"""A PostgreSQL or MySQL/MariaDB server answers as one that takes clients. No credentials are needed."""

import struct
from collections.abc import Callable
from typing import assert_never

from ci_lib.checks.site import Probe, Seen, Site, reach, required
from ci_lib.config.checks import DatabaseCheck

_PORTS = {"postgres": 5432, "mysql": 3306}
_NAMES = {"postgres": "PostgreSQL", "mysql": "MySQL"}

_SILENCE = Seen(passed=False, value="nobody answers: the connection was closed without a word")

Talk = Callable[[bytes, int], bytes]
"""Open a connection, send bytes, return at most so many of the answer."""

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_PARAMETERS = b"user\0deploy_actions\0database\0postgres\0\0"
STARTUP = struct.pack("!ii", 8 + len(_PARAMETERS), 196608) + _PARAMETERS
_CANNOT_CONNECT_NOW = "57P03"

_NOT_FOUND = frozenset({126, 127})  # what `docker exec` returns when there is no such program


def probe(check: DatabaseCheck, site: Site) -> Probe:
    """Make ready to greet the server over its protocol, or by its own tool inside its container."""
    bound = f"{_NAMES[check.type]} takes clients"
    if check.from_ == "container":
        return Probe(bound=bound, look=lambda: _by_tool(check, site))
    return Probe(bound=bound, look=lambda: _over_network(check, site))


def postgres_answers(talk: Talk) -> Seen:
    """Ask as ``pg_isready`` does, after making sure that it is PostgreSQL at all.

    An SSLRequest is answered by exactly one byte, ``S`` or ``N``, even by a server that is still starting
    (PostgreSQL documentation, "Message Flow", "SSL Session Encryption"). So a StartupMessage follows: an
    authentication request (``R``) or any error means that clients are taken, except cannot_connect_now,
    57P03, with which a starting, stopping or recovering server sends everybody away (``internal_ping`` in
    PostgreSQL's fe-connect.c).
    """
    first = talk(SSL_REQUEST, 1)
    if not first:
        return _SILENCE
    if first not in (b"S", b"N"):
        return Seen(passed=False, value="the answer is not PostgreSQL's")
    answer = talk(STARTUP, 1024)
    if answer[:1] == b"R":
        return Seen(passed=True, value="takes clients")
    state = _sql_state(answer)
    if len(state) != 5:
        return Seen(passed=False, value="no usable answer to a client's greeting")
    if state == _CANNOT_CONNECT_NOW:
        return Seen(passed=False, value=f"is starting, stopping or recovering ({state})")
    return Seen(passed=True, value="takes clients")


def mysql_answers(talk: Talk) -> Seen:
    """Read the server's greeting, which comes unasked.

    It is a packet (three bytes of length, one of sequence) that starts with protocol version 10
    (MySQL internals, "Protocol::HandshakeV10"); MariaDB's is the same. A server that takes nobody, such as
    one with too many connections, sends an error packet instead: 0xff and a two-byte code. Servers count
    greetings that nobody replies to, and in the end shut the caller out (``max_connect_errors``), which
    ``from: container`` avoids.
    """
    greeting = talk(b"", 7)
    if not greeting:
        return _SILENCE
    if len(greeting) < 7 or greeting[3] != 0:
        return Seen(passed=False, value="the answer is not MySQL's")
    if greeting[4] == 0xFF:
        return Seen(passed=False, value=f"takes no clients: error {int.from_bytes(greeting[5:7], 'little')}")
    if greeting[4] != 10:
        return Seen(passed=False, value=f"the answer is not MySQL's (protocol version {greeting[4]})")
    return Seen(passed=True, value="takes clients")


def _over_network(check: DatabaseCheck, site: Site) -> Seen:
    port = check.port or _PORTS[check.type]
    with reach(site, check.from_, check.service, check.address, port) as (address, there):

        def talk(send: bytes, receive: int) -> bytes:
            return site.net.talk(address, there, send=send, receive=receive, timeout=check.timeout)

        match check.type:
            case "postgres":
                return postgres_answers(talk)
            case "mysql":
                return mysql_answers(talk)
            case _:
                assert_never(check.type)


def _by_tool(check: DatabaseCheck, site: Site) -> Seen:
    """Ask with the first of the server's own tools that its image has; 0 means that it takes clients.

    Over TCP, never the socket: the usual images start a private server on the socket alone while they set
    the database up, and that one must not pass.
    """
    service = required(check.service)
    for argv in _tools(check):
        ran = site.containers.exec(service, argv, timeout=check.timeout)
        if ran.ok:
            return Seen(passed=True, value="takes clients")
        if ran.code not in _NOT_FOUND:
            return Seen(passed=False, value=ran.said)
    names = " nor ".join(argv[0] for argv in _tools(check))
    return Seen(passed=False, value=f"cannot be decided: {service} has no {names}")


def _tools(check: DatabaseCheck) -> tuple[tuple[str, ...], ...]:
    host, port = check.address, str(check.port or _PORTS[check.type])
    seconds = str(max(1, int(check.timeout)))
    match check.type:
        case "postgres":
            return (("pg_isready", "-h", host, "-p", port, "-t", seconds),)
        case "mysql":
            # "0 if the server is running, even in case of an error such as Access denied" (mysqladmin(1)).
            arguments = ("ping", f"--host={host}", f"--port={port}", "--protocol=tcp")
            limit = f"--connect-timeout={seconds}"
            return tuple((name, *arguments, limit) for name in ("mariadb-admin", "mysqladmin"))
        case _:
            assert_never(check.type)


def _sql_state(answer: bytes) -> str:
    """The code in an ErrorResponse: ``E``, a length, then fields of a letter and a text ended by zero."""
    if answer[:1] != b"E":
        return ""
    fields = answer[5:].split(b"\0")
    return next((field[1:].decode("ascii", "replace") for field in fields if field[:1] == b"C"), "")
