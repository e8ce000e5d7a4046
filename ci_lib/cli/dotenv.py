"""The values of a stack's ``.env``, which nobody shall see."""

import re

from ci_lib.ports.protocols import Host, PortFault

_PUBLIC = re.compile(r"TAG|VERSION|IMAGE|REGISTRY|REPOSITORY|DIGEST|^COMPOSE_")
"""Variables of `.env` that are told to everybody: masking them would mask every digest and version."""


def secrets_of(host: Host, run_dir: str) -> tuple[str, ...]:
    """The values of the stack's ``.env``, to be masked; short ones are words and not secrets."""
    try:
        text = host.read(f"{run_dir}/.env").decode(errors="replace")
    except PortFault:
        return ()
    pairs = (line.partition("=")[::2] for line in text.splitlines())
    values = (_value(value.strip()) for name, value in pairs if not _PUBLIC.search(name))
    return tuple(value for value in values if len(value) >= 8)


def _value(text: str) -> str:
    """A value of ``.env`` without its quotes, or without the comment behind an unquoted one."""
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return text.partition(" #")[0].rstrip()
