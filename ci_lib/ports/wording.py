"""How the ports' messages quote what came from outside: short, harmless, without credentials."""

from urllib.parse import urlsplit

from ci_lib.domain.text import one_line


def last_line(text: str) -> str:
    """Return the last non-empty line, fit to be shown: the likeliest reason of a failure."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1].strip()) if lines else ""


def plain_url(url: str) -> str:
    """Return a URL as a message may show it: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"
    return one_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
