"""Docker's own logins: what ``docker login`` left in config.json, or in the credential helpers it names.

Sources: github.com/docker/cli (``cli/config/configfile``, ``cli/config/credentials``) and
github.com/docker/docker-credential-helpers.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.images.address import HUB, address_of
from ci_lib.ports.protocols import NotFound, Ran

_HUB_KEY = "https://index.docker.io/v1/"
"""The name under which Docker keeps the login for Docker Hub, for historical reasons."""

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN_USER = "<token>"  # noqa: S105  (how helpers mark an identity token, not a secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A login: user name and password, or an identity token that stands for both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """What config.json says about logins, by registry host (``docker.io`` for Docker Hub).

    ``helpers`` are the helpers for single registries, ``store`` the one for all others; both are the last
    part of a program's name.
    """

    auths: Mapping[str, Credential] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def helper(self, host: str) -> str:
        """The helper that knows the login for a registry; empty when config.json itself holds it."""
        return self.helpers.get(host, self.store)


def config_path(environment: Mapping[str, str]) -> str:
    """Where Docker's config.json is: in DOCKER_CONFIG, else in ``.docker`` below HOME."""
    folder = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    return f"{folder}/config.json"


def parse_config(data: bytes) -> DockerConfig:
    """Read config.json; raise ``DeployError`` with REGISTRY, quoting nothing of it, when it is broken."""
    try:
        content = json.loads(data)
        return DockerConfig(
            auths={
                _host(key): credential
                for key, entry in (content.get("auths") or {}).items()
                if (credential := _credential(entry)) is not None
            },
            helpers={_host(key): _program(name) for key, name in (content.get("credHelpers") or {}).items()},
            store=_program(content.get("credsStore") or ""),
        )
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        # From None: the exception would quote the file, and the file holds passwords.
        raise _fault("Docker's config.json cannot be read", "run `docker login` again") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerCredentials:
    """Looks logins up as Docker does.

    ``path`` is that of config.json; ``read`` returns a file's bytes or raises ``NotFound``; ``run`` starts a
    program (argv, standard input) under a time limit of its own.
    """

    path: str
    read: Callable[[str], bytes] = field(repr=False)
    run: Callable[[Sequence[str], bytes], Ran] = field(repr=False)

    def __call__(self, host: str) -> Credential | None:
        """Return the login for a registry host; None when there is none. Raises ``DeployError``."""
        try:
            config = parse_config(self.read(self.path))
        except NotFound:
            return None
        helper = config.helper(host)
        return self._from_helper(helper, host) if helper else config.auths.get(host)

    def _from_helper(self, helper: str, host: str) -> Credential | None:
        program = f"docker-credential-{helper}"
        ran = self.run([program, "get"], (_HUB_KEY if host == HUB else host).encode())
        if not ran.ok and "credentials not found" in ran.stdout + ran.stderr:
            return None
        if not ran.ok:
            raise _fault(f"{program} gave no login for {host}: {ran.said}", "does `docker pull` work there?")
        return parse_helper(ran.stdout, program)


def parse_helper(output: str, program: str) -> Credential:
    """Read what a helper prints for ``get``; raise ``DeployError``, quoting nothing, when it is broken."""
    try:
        answer = json.loads(output)
        username, secret = _text(answer["Username"]), _text(answer["Secret"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _fault(f"{program} printed something that is not a login", "is it the right helper?") from None
    if username == _TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(username=username, password=secret)


def _credential(entry: Mapping[str, Any]) -> Credential | None:
    """One entry of ``auths``; entries whose login is in a helper are empty."""
    token = _text(entry.get("identitytoken") or "")
    if token:
        return Credential(identity_token=token)
    if entry.get("auth"):
        # Docker trims zero bytes: old versions padded the password with them.
        pair = base64.b64decode(entry["auth"], validate=True).decode()
        username, colon, password = pair.partition(":")
        if not colon:
            raise binascii.Error("no colon")
        return Credential(username=username, password=password.strip("\0"))
    if entry.get("username"):
        return Credential(username=_text(entry["username"]), password=_text(entry.get("password") or ""))
    return None


def _host(key: str) -> str:
    """The registry host of a key, which may be a host or a URL."""
    authority = key.partition("://")[2] or key
    return address_of(f"{authority.partition('/')[0]}/any").host


def _program(name: object) -> str:
    """A helper's name; it becomes part of a program's name, so a path in it is refused."""
    text = _text(name)
    if text and _HELPER.fullmatch(text) is None:
        raise ValueError("not the name of a credential helper")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _fault(message: str, hint: str) -> DeployError:
    return DeployError(message, hint=hint, reason=Reason.REGISTRY)
