"""The Markdown of a job summary as a page of its own.

Of artifacts GitLab shows no Markdown, but (with GitLab Pages) HTML. Only what ``report/`` writes is
understood: headings, tables, lists, quotations, code blocks, ``<details>``, and within a line code, links
and bold. Nothing else becomes an element, whatever the Markdown holds.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

_HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>deploy-actions</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #ccc; padding: .3em .7em; text-align: left; }
code, pre { font: 13px/1.4 monospace; background: #f4f4f4; }
pre { padding: .8em; overflow: auto; }
blockquote { border-left: .3em solid #ccc; margin: 1em 0; padding-left: 1em; }
</style>
</head>
<body>
"""
_FOOT: Final = "</body>\n</html>\n"

_HEADING: Final = re.compile(r"(#{1,6}) (.*)")
_TICKS: Final = re.compile(r"(`{3,})\w*")
_FOLD: Final = re.compile(r"<details><summary>(.*)</summary>")
_RULE: Final = re.compile(r"(?:\| --- )+\|")
_INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?P<as_is></?code>|<!-- -->|&(?:amp|lt|gt|#[0-9]{1,7});)"
    r"|\[(?P<title>[^\]]*)\]\(<(?P<url>https?://[^<>\s]*)>\)"
    r"|(?P<bold>\*\*)"
    r"|(?P<other>[<>&\"'])"
)


def page(markdown: str) -> str:
    """The whole page."""
    return _HEAD + "".join(f"{part}\n" for part in _blocks(deque(markdown.split("\n")))) + _FOOT


def _blocks(lines: deque[str]) -> Iterator[str]:
    """One piece of HTML for each block; ``lines`` is used up."""
    open_folds = 0
    while lines:
        line = lines.popleft()
        if ticks := _TICKS.fullmatch(line):
            yield _code(ticks[1], lines)
        elif heading := _HEADING.fullmatch(line):
            yield f"<h{len(heading[1])}>{_inline(heading[2])}</h{len(heading[1])}>"
        elif fold := _FOLD.fullmatch(line):
            open_folds += 1
            yield f"<details><summary>{_inline(fold[1])}</summary>"
        elif line == "</details>" and open_folds:
            open_folds -= 1
            yield line
        elif line.startswith("| ") and lines and _RULE.fullmatch(lines[0]):
            yield _table(line, lines)
        elif line.startswith("- "):
            items = [line, *_while(lines, lambda each: each.startswith("- "))]
            yield "<ul>" + "".join(f"<li>{_inline(item[2:])}</li>" for item in items) + "</ul>"
        elif line.startswith(">"):
            quoted = [line, *_while(lines, lambda each: each.startswith(">"))]
            yield f"<blockquote>{'<br>'.join(_inline(each[1:].strip()) for each in quoted)}</blockquote>"
        elif line.strip() and not line.startswith("<!-- "):
            yield f"<p>{_inline(line)}</p>"
    yield "</details>" * open_folds


def _code(ticks: str, lines: deque[str]) -> str:
    """A code block; ``lines`` begins behind its first line, and is used up beyond its last."""
    text = list(_while(lines, lambda line: line != ticks))
    if lines:
        lines.popleft()
    return f"<pre>{escape(chr(10).join(text))}</pre>"


def _table(header: str, lines: deque[str]) -> str:
    """A table; no cell holds a bar, since ``report/`` writes it as a character reference."""
    lines.popleft()
    rows = [_row(header, "th"), *(_row(line, "td") for line in _while(lines, lambda each: each[:2] == "| "))]
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def _row(line: str, element: str) -> str:
    cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
    return "<tr>" + "".join(f"<{element}>{_inline(cell)}</{element}>" for cell in cells) + "</tr>"


def _while(lines: deque[str], wanted: Callable[[str], bool]) -> Iterator[str]:
    while lines and wanted(lines[0]):
        yield lines.popleft()


def _inline(text: str) -> str:
    bold = False

    def element(found: re.Match[str]) -> str:
        nonlocal bold
        if found["code"]:
            return f"<code>{escape(found['code'])}</code>"
        if found["url"]:
            return f'<a href="{escape(found["url"])}" rel="noreferrer">{escape(found["title"])}</a>'
        if found["bold"]:
            bold = not bold
            return "<strong>" if bold else "</strong>"
        return found["as_is"] or escape(found["other"])

    shown = _INLINE.sub(element, text)
    return f"{shown}</strong>" if bold else shown
