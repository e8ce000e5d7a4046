"""An HTTP GET that answers as it should: status, text in the body, a field of a JSON body, headers."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ci_lib.checks.site import Probe, Seen, Site, reach
from ci_lib.config.checks import HttpCheck
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Response

_PORTS = {"http": 80, "https": 443}


def probe(check: HttpCheck, site: Site) -> Probe:
    """Make ready to ask; the Host header and the TLS name are the URL's, wherever it is asked from."""
    return Probe(bound=_bound(check), look=lambda: _judge(check, _ask(check, site)))


def _bound(check: HttpCheck) -> str:
    demands = [str(check.status)]
    if check.contains is not None:
        demands.append(f"body has {check.contains!r}")
    if check.json_field is not None:
        wanted = "is there" if check.equals is None else f"= {check.equals}"
        demands.append(f"{check.json_field} {wanted}")
    demands += [f"{name}: {value}" for name, value in check.header.items()]
    return ", ".join(demands)


def _ask(check: HttpCheck, site: Site) -> Response:
    if check.from_ == "runner":
        # Without connect_to, so that the runner's own proxy settings hold.
        return site.net.request("GET", check.url, timeout=check.timeout)
    host, port = _endpoint(check.url)
    with reach(site, check.from_, check.service, host, port) as end:
        return site.net.request("GET", check.url, timeout=check.timeout, connect_to=end)


def _endpoint(url: str) -> tuple[str, int]:
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise StepFault("the check's `url` names no host or an impossible port", reason=Reason.CHECKS)
    return host, port


def _judge(check: HttpCheck, response: Response) -> Seen:
    """Compare the answer with every demand; the rest does not count when the status is another."""
    status = _status_words(response.status)
    if response.status != check.status:
        return Seen(passed=False, value=status)
    findings = tuple(_findings(check, response))
    value = ", ".join([status, *(finding.value for finding in findings)])
    return Seen(passed=all(finding.passed for finding in findings), value=value)


def _findings(check: HttpCheck, response: Response) -> Iterator[Seen]:
    if check.contains is not None:
        has = check.contains.encode() in response.body
        yield Seen(passed=has, value=f"body {'has' if has else 'lacks'} {check.contains!r}")
    if check.json_field is not None:
        yield _field(check.json_field, check.equals, response.body)
    elif check.equals is not None:
        yield Seen(passed=False, value="`equals` has no `json_field` to look at")
    for name, wanted in check.header.items():
        found = response.headers.get(name.lower())
        yield Seen(passed=found == wanted, value=f"{name}: {found}" if found is not None else f"no {name}")


def _field(path: str, equals: str | None, body: bytes) -> Seen:
    """Look a dotted path up; numbers name places in a list. Numbers keep the spelling of the body."""
    try:
        value: Any = json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return Seen(passed=False, value="body is not JSON")
    for key in path.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return Seen(passed=False, value=f"{path} is missing")
    if isinstance(value, dict | list):
        return Seen(passed=equals is None, value=f"{path} is no single value")
    text = value if isinstance(value, str) else json.dumps(value)
    return Seen(passed=equals in (None, text), value=f"{path} = {text}")


def _status_words(status: int) -> str:
    """``503 Service Unavailable``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
