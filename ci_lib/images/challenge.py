"""How a registry is convinced: its ``WWW-Authenticate`` header turned into an ``Authorization`` header.

Sources: RFC 9110, section 11, and https://distribution.github.io/distribution/spec/auth/token/.
"""

import base64
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from ci_lib.images.address import Address, host_name, is_loopback
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import Denied, Fetcher, NotLoggedIn, fault, status_words
from ci_lib.ports.protocols import Response


class Access(StrEnum):
    """What a token is asked for; the values are the actions of its scope."""

    READ = "pull"
    WRITE = "pull,push"


_PIECE = re.compile(
    r'[\s,]*(?:(?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))|(?P<scheme>[\w-]+))'
)
_DOES = {Access.READ: "read", Access.WRITE: "push to"}
_LOG_IN = "log in with `docker login`, or name credentials under `registries:` in deploy.yml"


def authorization(
    header: str,
    address: Address,
    credential: Credential | None,
    fetcher: Fetcher,
    access: Access = Access.READ,
) -> str:
    """Return the ``Authorization`` value that answers a 401.

    ``header`` is the ``WWW-Authenticate`` of that answer. Without a credential a token is asked for
    anonymously, which is how public images are read. Raises ``DeployError`` with REGISTRY.
    """
    offered = _challenges(header)
    if "bearer" in offered:
        return f"Bearer {_token(offered['bearer'], address, credential, fetcher, access)}"
    if "basic" not in offered:
        raise fault(f"{address.host} asks for a kind of login that is not known here", hint=_LOG_IN)
    if credential is None:
        raise NotLoggedIn(f"{address.host} wants a login, and there are no credentials for it", hint=_LOG_IN)
    return _basic(address, credential)


def refused(address: Address, known: Credential | None, access: Access = Access.READ) -> str:
    """Say what to do when the registry said no; it depends on whether there were credentials at all."""
    if known is None:
        return f"no credentials for {address.host} were found: {_LOG_IN}"
    return (
        f"may {known.username or 'this login'} {_DOES[access]} {address.path}, and is the name right? "
        "Registries also say no where a repository does not exist"
    )


def _challenges(header: str) -> dict[str, dict[str, str]]:
    """Scheme → its parameters, names in lower case. A header may hold several; the first of a kind counts."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    position = 0
    while piece := _PIECE.match(header, position):
        position = piece.end()
        if piece["scheme"]:
            parameters = found.setdefault(piece["scheme"].lower(), {})
        else:
            quoted = piece["quoted"]
            value = piece["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(piece["name"].lower(), value)
    return found


def _token(
    parameters: Mapping[str, str],
    address: Address,
    credential: Credential | None,
    fetcher: Fetcher,
    access: Access,
) -> str:
    """Fetch a token for this one repository that allows what ``access`` says and nothing else."""
    realm = _trusted(parameters.get("realm", ""), address)
    query = {"scope": f"repository:{address.path}:{access}"}
    if "service" in parameters:
        query["service"] = parameters["service"]
    headers = {"Authorization": _basic(address, credential)} if credential else {}
    url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
    response = fetcher.get(url, headers)
    if response.status in (401, 403):
        raise Denied(
            f"{address.host} refused the login: {status_words(response.status)}",
            hint=refused(address, credential, access),
        )
    if response.status != 200:
        raise fault(f"{address.host} gave no token: {status_words(response.status)}")
    return _token_in(response, address)


def _trusted(realm: str, address: Address) -> str:
    """The realm, if credentials may be sent there: over TLS, or from a loopback registry to loopback."""
    try:
        parts = urlsplit(realm)
        name = host_name(parts.netloc.rpartition("@")[2])
    except ValueError:
        parts, name = urlsplit(""), ""
    local = parts.scheme == "http" and address.loopback and is_loopback(name)
    # It is asked with a login in hand, and becomes part of a request.
    clean = bool(name) and realm.isascii() and realm.isprintable()
    if not clean or not (parts.scheme == "https" or local):
        raise fault(
            f"{address.host} wants its login sent to {realm[:100]!r}, which is not an https address",
            hint="nothing was sent; is this the registry that you mean?",
        )
    return realm


def _token_in(response: Response, address: Address) -> str:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        token = answer.get("token") or answer.get("access_token")
        # It becomes a header: a line break in it would start another one.
        if isinstance(token, str) and token.isascii() and token.isprintable():
            return token
    raise fault(f"{address.host} answered the login with something that holds no token")


def _basic(address: Address, credential: Credential) -> str:
    if credential.identity_token:
        raise fault(
            f"Docker's login for {address.host} is an identity token, which cannot be used here",
            hint="log in with user name and access token, or name them under `registries:` in deploy.yml",
        )
    pair = f"{credential.username}:{credential.password}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
