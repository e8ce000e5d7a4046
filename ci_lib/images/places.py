"""Where a registry sends us next: to upload to, or for the next page of a list. Nowhere but to itself."""

import re
from urllib.parse import SplitResult, urljoin, urlsplit

_NEXT = re.compile(r"<([^<>]*)>\s*;\s*rel=\"?next\"?")


def place_at(api: str, asked: str, location: str) -> str:
    """Return the URL that a registry names as ``location`` in its answer to ``asked``; empty if strange.

    It is put together from ``api``, our own address of the registry, so that no two readings of a strange URL
    can differ about where login and body go.
    """
    try:
        target, own = urlsplit(urljoin(asked, location)), urlsplit(asked)
        clean = bool(location) and location.isascii() and location.isprintable() and " " not in location
        same = _origin(target) == _origin(own)
    except ValueError:
        return ""
    if not (clean and same):
        return ""
    return f"{api}{target.path}?{target.query}" if target.query else f"{api}{target.path}"


def next_page(link: str) -> str:
    """Return the location of the next page, as a ``Link`` header names it (RFC 8288); empty on the last."""
    found = _NEXT.search(link)
    return found[1] if found else ""


def _origin(parts: SplitResult) -> tuple[str, str]:
    """Scheme and server; the port that a scheme has anyway may be written or not."""
    return parts.scheme, parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
