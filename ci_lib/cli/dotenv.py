"""The values of a stack's ``.env``, which nobody shall see."""

import re
from collections.abc import Mapping

from ci_lib.domain.redact import names_secret
from ci_lib.ports.protocols import Host, NotFound, PortFault

_PUBLIC = re.compile(r"(?:^|_)(?:TAG|VERSION|IMAGE|REGISTRY|REPOSITORY|DIGEST)(?:_|$)|^COMPOSE_")
"""Variables of `.env` that are told to everybody: masking them would mask every digest and version."""


def secrets_of(host: Host, run_dir: str) -> tuple[str, ...]:
    """The values of the stack's ``.env``, to be masked; short ones are words and not secrets."""
    try:
        text = _text(host, run_dir)
    except PortFault:
        return ()
    pairs = (line.partition("=")[::2] for line in text.splitlines())
    hidden = (value for name, value in pairs if names_secret(name) or not _PUBLIC.search(name))
    values = (_value(value.strip()) for value in hidden)
    return tuple(value for value in values if len(value) >= 8)


def variables_of(host: Host, run_dir: str) -> Mapping[str, str]:
    """The variables of the stack's ``.env``, none when there is no such file; the last one of a name counts.

    Raises ``PortFault`` when the host does not answer.
    """
    try:
        text = _text(host, run_dir)
    except NotFound:
        return {}
    lines = (line.strip().removeprefix("export ") for line in text.splitlines())
    pairs = (line.partition("=")[::2] for line in lines if line and not line.startswith("#"))
    return {name.strip(): _value(value.strip()) for name, value in pairs}


def _text(host: Host, run_dir: str) -> str:
    return host.read(f"{run_dir}/.env").decode(errors="replace")


def _value(text: str) -> str:
    """A value of ``.env`` without its quotes, or without the comment behind an unquoted one."""
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return text.partition(" #")[0].rstrip()
