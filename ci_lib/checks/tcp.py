"""Something accepts a TCP connection."""

from ci_lib.checks.site import From, Probe, Seen, Site, seen_by_host
from ci_lib.config.checks import TcpCheck
from ci_lib.ports.protocols import Ran

_GRACE = 5.0
_TIMED_OUT = 124  # what timeout(1) returns
_NO_TOOL = 90

# Arguments: address, port, seconds. On a host that has neither program nothing is decided. `sh` itself
# cannot connect; bash can (Bash manual, "Redirections": /dev/tcp/host/port).
_CONNECT = f"""
if command -v bash >/dev/null; then
  exec timeout "$3" bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2"
elif command -v nc >/dev/null; then
  exec timeout "$3" nc -z "$1" "$2"
fi
exit {_NO_TOOL}
"""


def probe(check: TcpCheck, site: Site) -> Probe:
    """Make ready to connect.

    From host and container the host itself connects: a port forwarded through SSH accepts every connection
    before anybody at the other end was asked, and a server that waits for its client to speak cannot be told
    from nobody.
    """
    place = f"{check.service or 'container' if check.from_ == 'container' else check.address}:{check.port}"
    return Probe(bound=f"{place} accepts a connection", look=lambda: _look(check, check.from_, site))


def _look(check: TcpCheck, start: From, site: Site) -> Seen:
    if start == "runner":
        site.net.talk(check.address, check.port, send=b"", receive=0, timeout=check.timeout)
        return Seen(passed=True, value="accepted")
    address = seen_by_host(site, start, check.service, check.address)
    argv = ["sh", "-c", _CONNECT, "sh", address, str(check.port), f"{check.timeout:g}"]
    return _judge(site.host.run(argv, timeout=check.timeout + _GRACE), check, site)


def _judge(ran: Ran, check: TcpCheck, site: Site) -> Seen:
    if ran.ok:
        return Seen(passed=True, value="accepted")
    if ran.code == _TIMED_OUT:
        return Seen(passed=False, value=f"no answer within {check.timeout:g} s")
    if ran.code == _NO_TOOL:
        return Seen(passed=False, value=f"cannot be decided: {site.host.name} has neither bash nor nc")
    return Seen(passed=False, value=f"not accepted: {ran.said}")
