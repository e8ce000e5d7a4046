"""Where a SARIF result is: its first location, as a path."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from ci_lib.domain.gate import Spot
from ci_lib.readers.raw import member
from ci_lib.readers.words import spot

_CHECKOUT: Final = "%SRCROOT%"
"""By convention the checkout. Its address is left aside: within a container it is another one."""


def spot_of(result: Mapping[str, Any], run: Mapping[str, Any]) -> Spot | None:
    """The file and line of a result's first location; None where that is not a file."""
    physical = member(result, "locations", 0, "physicalLocation")
    artifact = member(physical, "artifactLocation")
    if member(artifact, "uri") is None:
        artifact = member(run, "artifacts", member(artifact, "index"), "location")
    uri, base = member(artifact, "uri"), member(artifact, "uriBaseId")
    if not isinstance(uri, str):
        return None
    address = None if base == _CHECKOUT else member(run, "originalUriBaseIds", base, "uri")
    return spot(_path(uri, address), member(physical, "region", "startLine"))


def _path(uri: str, base: object) -> str:
    """The path of a relative reference or ``file:`` URI; empty for any other address."""
    try:
        if isinstance(base, str) and base.startswith("file:"):
            uri = urljoin(base, uri)
        parts = urlsplit(uri)
    except ValueError:
        return ""
    local = parts.scheme in ("", "file") and parts.netloc in ("", "localhost")
    return unquote(parts.path) if local else ""
