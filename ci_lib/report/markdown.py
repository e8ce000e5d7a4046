"""The few pieces of Markdown that a job summary is made of. Arguments are Markdown, escaped already."""

import re
from collections.abc import Sequence
from typing import Final

from ci_lib.domain.text import block, markdown

_WEB_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%\[\]-]+")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, limit: int = 200) -> str:
    """A table of at most ``limit`` rows, with a word on those left out; empty without rows."""
    if not rows:
        return ""
    shown = [[cell or "–" for cell in row] for row in rows[:limit]]
    lines = [header, ["---"] * len(header), *shown]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    left_out = len(rows) - limit
    return f"{text}\n\n…and {left_out} more.\n" if left_out > 0 else f"{text}\n"


def bullets(items: Sequence[str], *, limit: int = 50) -> str:
    """A list of at most ``limit`` items, with a word on those left out; empty without items."""
    shown = [f"- {item}" for item in items[:limit]]
    if len(items) > limit:
        shown.append(f"- …and {len(items) - limit} more")
    return "".join(f"{line}\n" for line in shown)


def details(title: str, body: str) -> str:
    """A folded section; empty without a body. The blank lines make the body Markdown again."""
    return f"<details><summary>{title}</summary>\n\n{body.rstrip()}\n\n</details>\n" if body.strip() else ""


def fence(text: str) -> str:
    """Foreign ``text`` as a code block that it cannot end: the fence is longer than any run of backticks."""
    shown = block(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{shown.rstrip()}\n{ticks}\n"


def link(title: str, url: str) -> str:
    """A link, where ``url`` is plainly a web address; otherwise the foreign text it is."""
    return f"[{title}](<{url}>)" if _WEB_ADDRESS.fullmatch(url) else markdown(url)


_ITEM: Final = re.compile(r"( {0,6}(?:[-*+]|\d{1,3}\.) (?:\[[ xX]\] )?)(.*)")


def quote(text: str, *, limit: int = 200) -> str:
    """Foreign ``text`` as a quotation of at most ``limit`` lines; list markers stay, all else is shown."""
    lines = text.strip("\n").splitlines()
    shown = [_quoted(line.expandtabs(2)) for line in lines[:limit]]
    if len(lines) > limit:
        shown.append(f"…and {len(lines) - limit} lines more")
    return "".join(f"> {line}".rstrip() + "\n" for line in shown)


def _quoted(line: str) -> str:
    item = _ITEM.fullmatch(line)
    return item[1] + markdown(item[2], 1000) if item else markdown(line, 1000)
