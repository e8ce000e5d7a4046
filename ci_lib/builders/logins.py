"""Docker's configuration for one build: the machine's own, and logins that nobody else sees.

Source: github.com/docker/cli, ``cli/config/configfile``.
"""

import json
from collections.abc import Mapping
from typing import Final

from ci_lib.builders import commands
from ci_lib.domain.errors import DeployError
from ci_lib.domain.reasons import Reason
from ci_lib.images.address import HUB
from ci_lib.images.credentials import Credential
from ci_lib.ports.protocols import Host, NotFound, PortFault

_LIMIT: Final = 60.0
_HUB_KEY: Final = "https://index.docker.io/v1/"
_CONFIG: Final = "config.json"


def log_in(
    credentials: Mapping[str, Credential], *, host: Host, own: str, folder: str
) -> Mapping[str, str]:
    """Log in to every registry of ``credentials`` below ``folder``; return the environment that uses it.

    ``own`` is Docker's configuration folder on this machine: its plug-ins, builders, contexts and other
    logins stay in use. Passwords go to standard input. Raises ``DeployError`` with REGISTRY.
    """
    if not credentials:
        return {}
    linked = host.run(["sh", "-c", _LINK, "sh", own, folder], timeout=_LIMIT)
    if not linked.ok:
        raise _fault(f"Docker's configuration could not be prepared: {linked.said}", "is the disk full?")
    try:
        text = host.read(f"{own}/{_CONFIG}")
    except (NotFound, PortFault):
        text = b"{}"
    host.write(f"{folder}/{_CONFIG}", private_config(text, tuple(credentials)), mode=0o600)
    env = {"DOCKER_CONFIG": folder}
    for registry, credential in credentials.items():
        argv = commands.login(registry, credential.username)
        ran = host.run(argv, stdin=credential.password.encode(), timeout=_LIMIT, env=env)
        if not ran.ok:
            raise _fault(
                f"the login of {credential.username} to {registry} failed: {ran.said}",
                "look at user name and password: is the secret set, and has the token expired?",
            )
    return env


def private_config(text: bytes, registries: tuple[str, ...]) -> bytes:
    """config.json ``text``, changed so that logins to ``registries`` are kept in the file itself.

    Where a helper keeps logins (a key chain), ``docker login`` would leave ours there for everybody. An empty
    helper for one registry is Docker's own way to say: the file.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = {}
    config = config if isinstance(config, dict) else {}
    helpers = config.get("credHelpers")
    keys = {_HUB_KEY if registry == HUB else registry: "" for registry in registries}
    config["credHelpers"] = {**(helpers if isinstance(helpers, dict) else {}), **keys}
    return json.dumps(config).encode()


_LINK: Final = """\
mkdir -m 700 -- "$2" || exit
for entry in "$1"/* "$1"/.[!.]*; do
    name=${entry##*/}
    [ -e "$entry" ] && [ "$name" != config.json ] || continue
    ln -s -- "$entry" "$2/$name" || exit
done
"""


def _fault(message: str, hint: str) -> DeployError:
    return DeployError(message, hint=hint, reason=Reason.REGISTRY)
