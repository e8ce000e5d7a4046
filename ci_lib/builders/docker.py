"""Builds and pushes images with Docker: by buildx, or by the classic builder."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ci_lib.builders import commands
from ci_lib.domain.build import Order
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import is_digest
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Clock, Host, Live, NotFound

Told = Callable[[str], None]

_LOOK: Final = 30.0  # seconds to find out what there is
_RAISE: Final = "is docker, or its buildx, very old? A newer one tells"
_DOCKER: Final = "does `docker version` work here?"
_PUSHED: Final = re.compile(r"\S+: digest: (sha256:[0-9a-f]{64}) size: \d+")
_HINTS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"no space left on device", re.IGNORECASE),
        "the disk is full: `docker system df` shows by what, `docker builder prune` makes room",
    ),
    (
        re.compile(r"denied|unauthorized|authentication required|no basic auth", re.IGNORECASE),
        "may this login push there? Give `username` and `password`, or `registries:` in deploy.yml",
    ),
    (
        re.compile(r"multi(-platform|ple platforms).*not.*supported|cache export .*not supp", re.IGNORECASE),
        "the builder here cannot do that: docker/setup-buildx-action, or `docker buildx create --use`, can",
    ),
    (
        re.compile(r"cannot connect to the docker daemon|is the docker daemon running", re.IGNORECASE),
        "start Docker, and look whether this user may use it: `docker version`",
    ),
)


def has_buildx(host: Host) -> bool:
    """Whether Docker on this machine has buildx; raises ``DeployError`` (BUILD) when there is no Docker."""
    if host.run(commands.BUILDX_THERE, timeout=_LOOK).ok:
        return True
    ran = host.run(commands.DOCKER_THERE, timeout=_LOOK)
    if not ran.ok:
        raise fault(f"Docker does not answer on this machine: {ran.said}", hint=_DOCKER)
    return False


def fault(message: str, *, hint: str = "") -> DeployError:
    """Make the error for an image that is not built."""
    return DeployError(message, hint=hint, reason=Reason.BUILD)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerBuilder:
    """Docker on this machine. ``room`` is a private folder, ``env`` what every command gets in addition."""

    host: Host
    live: Live
    clock: Clock
    room: str
    env: Mapping[str, str] = field(repr=False)

    def __call__(self, order: Order, told: Told) -> str:
        """Build and push; return the digest that the builder says it pushed as the version.

        ``told`` gets every line of output. Raises ``DeployError`` with BUILD.
        """
        deadline = self.clock.monotonic() + order.limit
        if order.buildx:
            metadata = f"{self.room}/{order.name}.json"
            self._run(commands.build_and_push(order, metadata), order, told, deadline)
            digest = self._in_metadata(metadata)
        else:
            self._run(commands.build(order), order, told, deadline)
            digest = ""
            for name in order.names:
                heard = self._run(commands.push(name), order, told, deadline)
                digest = heard.digest
        if not is_digest(digest):
            raise fault(f"the builder does not say which digest {order.name} was pushed with", hint=_RAISE)
        return digest

    def _run(self, argv: commands.Argv, order: Order, told: Told, deadline: float) -> "_Heard":
        heard = _Heard(told)
        left = max(0.1, deadline - self.clock.monotonic())
        env = {**self.env, **order.env, "DOCKER_BUILDKIT": "1" if order.buildx else "0"}
        ended = self.live.run(argv, timeout=left, told=heard, cwd=order.context, env=env)
        doing = "pushed" if argv[1] == "push" else "built"
        if ended.timed_out:
            raise fault(
                f"{order.name} was not {doing} within {order.limit:g} s",
                hint="the last line above is what it was at; `limits: build` gives it more time",
            )
        if ended.code != 0:
            what = f"{order.name} could not be {doing}: {heard.reason or f'exit code {ended.code}'}"
            raise fault(what, hint=_hint(heard.reason))
        return heard

    def _in_metadata(self, path: str) -> str:
        try:
            data = json.loads(self.host.read(path))
        except (NotFound, ValueError):
            return ""
        return str(data.get("containerimage.digest", "")) if isinstance(data, dict) else ""


class _Heard:
    """Hands lines on, and remembers what a build said about its end."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._error = self._last = ""
        self.digest = ""

    def __call__(self, line: str) -> None:
        """Take one line."""
        self._told(line)
        text = line.strip()
        if found := _PUSHED.fullmatch(text):
            self.digest = found[1]
        if text.startswith(("ERROR:", "error:")):
            self._error = text.partition(":")[2].strip()
        self._last = text or self._last

    @property
    def reason(self) -> str:
        """The last error, else the last line: the likeliest reason of a failure."""
        return self._error or self._last


def _hint(reason: str) -> str:
    fitting = (hint for pattern, hint in _HINTS if pattern.search(reason))
    return next(fitting, "see the builder's output above")
