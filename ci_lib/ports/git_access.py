"""Which remote the ledger's branch is in, and what git needs to be let in there."""

import base64
import re
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from ci_lib.domain.text import one_line
from ci_lib.ports.agent import Agent
from ci_lib.ports.git import Settings
from ci_lib.ports.git_checkout import Checkout
from ci_lib.ports.protocols import PortFault, UnknownHostKey
from ci_lib.ports.scratch import scratch
from ci_lib.ports.ssh_connection import STRICT
from ci_lib.ports.system import environment

_SCP: Final = re.compile(r"(?:[^@/:]+@)?[A-Za-z0-9\[][^/:]*:(?!:)[^:].*")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is asked for. ``folder`` is deploy.yml's, ``url`` empty for the checkout's own remote.

    Without ``token`` and ``key`` (a private key's text) the checkout's and the user's credentials are used.
    """

    folder: str
    url: str = ""
    token: str = field(default="", repr=False)
    username: str = ""
    key: str | None = field(default=None, repr=False)
    known_hosts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A remote that can be talked to: ``url`` holds no login, ``settings`` and ``env`` may."""

    url: str
    transport: str
    settings: Settings = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def opened(access: Access, exits: ExitStack) -> Remote:
    """The remote; what it needs (an agent that holds the key) lives until ``exits`` is closed."""
    checkout = Checkout(access.folder)
    url = access.url or checkout.remote()
    transport = _transport(url)
    env: Mapping[str, str] = {"GIT_ALLOW_PROTOCOL": transport}
    if transport == "ssh":
        if access.token:
            raise PortFault(f"a token is for https, and the remote is {one_line(url)}: set `remote:`")
        return Remote(url=url, transport=transport, env={**env, **_ssh(access, checkout, exits)})
    if access.key is not None or access.known_hosts:
        raise PortFault(f"a key is for SSH, and the remote is {plain(url)}: set `remote:`")
    if transport == "file":
        return Remote(url=url, transport=transport, env=env)
    return _web(access, checkout, url, env)


def _transport(url: str) -> str:
    """How git would talk to it; raises ``PortFault`` for ways by which the ledger could be forged."""
    if not url.isprintable() or url.startswith("-"):
        raise PortFault(f"{one_line(url, 100)!r} is no address of a git remote")
    scheme, colon, _ = url.partition("://")
    if colon:
        known = {"https": "https", "ssh": "ssh", "git+ssh": "ssh", "ssh+git": "ssh", "file": "file"}
        if scheme == "http" and urlsplit(url).hostname in _LOOPBACK:
            return "http"
        if scheme not in known:
            raise PortFault(f"{plain(url)} is not safe for a ledger: use https or SSH")
        return known[scheme]
    return "ssh" if _SCP.fullmatch(url) else "file"


def _web(access: Access, checkout: Checkout, url: str, env: Mapping[str, str]) -> Remote:
    """By HTTPS. A login that stands in the checkout's address goes by the environment like a token."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    base = f"{parts.scheme}://{place}/"
    settings = checkout.web_settings(credentials=not access.token)
    login: Settings = ()
    if access.token:
        login = (_basic(base, access.username, access.token),)
    elif parts.password:
        login = (_basic(base, unquote(parts.username or ""), unquote(parts.password)),)
    elif parts.username:
        login = ((f"credential.{base}.username", unquote(parts.username)),)
    bare = urlunsplit((parts.scheme, place, parts.path, "", ""))
    return Remote(url=bare, transport=parts.scheme, settings=(*settings, *login), env=env)


def _basic(base: str, username: str, password: str) -> tuple[str, str]:
    word = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"http.{base}.extraHeader", f"Authorization: Basic {word}"


def _ssh(access: Access, checkout: Checkout, exits: ExitStack) -> Mapping[str, str]:
    """The ssh command. git has a shell read it, so each word is quoted."""
    options = list(STRICT)
    if access.known_hosts:
        # /tmp and not TMPDIR: the path of a socket must stay below some 100 characters.
        folder = Path(exits.enter_context(scratch("ledger-ssh", root="/tmp")))  # noqa: S108 - 0700, fresh
        options += _known(access.known_hosts, folder)
        if access.key is not None:
            agent = Agent(folder / "agent", access.key)
            exits.callback(agent.close)
            options += [f"IdentityAgent={agent.socket}", "IdentitiesOnly=no"]
    words = shlex.join([f"-o{option}" for option in (*options, "ControlMaster=no", "ControlPath=none")])
    own = "" if access.key is not None else environment().get("GIT_SSH_COMMAND") or checkout.ssh_command()
    return {"GIT_SSH_COMMAND": f"{own or 'ssh'} {words}", "GIT_SSH_VARIANT": "ssh"}


def _known(known_hosts: str, folder: Path) -> list[str]:
    try:
        keys = Path(known_hosts).read_bytes()
    except OSError as error:
        what = f"the known_hosts file {one_line(known_hosts)} of the ledger's remote cannot be read"
        raise UnknownHostKey(f"{what}: {error.strerror}") from None
    copy = folder / "known_hosts"  # ssh would read spaces, % and ~ in the user's path as something else
    copy.write_bytes(keys)
    return [f"UserKnownHostsFile={copy}", "GlobalKnownHostsFile=/dev/null"]


def plain(url: str) -> str:
    """An address as a message may show it."""
    scheme, colon, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return one_line(f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if colon else url)
