"""Foreign text made fit to be shown: on a line, in Markdown, in a log. Also how times are written.

"Foreign" is everything that people or programs outside wrote: commit messages, tags, log lines, causes.
"""

import re
import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that do not show, change what shows, or end a line."""

_BLANK_LETTERS: Final = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0})
"""Marks and letters by category, yet nothing is drawn for them."""


class _Visible(dict[int, str | None]):
    """A table for ``str.translate`` that decides about each character once."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        shown: str | None = character
        if 0xFE00 <= code <= 0xFE0F:
            shown = None  # chooses between emoji and text: nothing is lost, and nothing can hide in it
        elif (
            unicodedata.category(character) in _UNSEEN
            or code in _BLANK_LETTERS
            or 0x180B <= code <= 0x180F
            or 0xE0100 <= code <= 0xE01EF
        ):
            shown = character.encode("unicode_escape").decode()
        self[code] = shown
        return shown


_VISIBLE: Final = _Visible()


def one_line(text: str, limit: int = 300) -> str:
    r"""``text`` as one line of at most ``limit`` characters.

    Line breaks, control characters, bidirectional overrides and invisible characters appear as ``\n``,
    ``\x1b``, ``\u202e``.
    """
    shown = text[: limit + 1].translate(_VISIBLE)
    if len(text) <= limit and len(shown) <= limit:
        return shown
    return shown[: max(0, limit - 1)] + "…"


def block(text: str) -> str:
    """``text`` with its line feeds and tabs kept and everything else escaped as by ``one_line``."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(part.translate(_VISIBLE) for part in line.split("\t")) for line in lines)


_PLAIN: Final = r"[A-Za-z0-9_./:@=,+%()-]+(?: [A-Za-z0-9_./:@=,+%()-]+)*"
_PLAIN_CODE: Final = re.compile(_PLAIN)
_SPECIAL: Final = re.compile(
    r"[\\`*{}\[\]|~$&<>]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # within a word it emphasises nothing
    r"|^[-+=#]|^\d+(?=[.)])"  # a list, a heading
    r"|:(?=//)|(?<=www)\."  # a bare URL
    r"|@(?=\w)|#(?=\d)"  # a mention, a reference
)
_SPECIAL_OR_CODE: Final = re.compile(rf"(?<!`)`{_PLAIN}`(?!`)|{_SPECIAL.pattern}")


def markdown(text: str, limit: int = 300) -> str:
    """``text`` as inline Markdown that shows just these characters, also in a table cell or HTML element.

    Character references are used and not backslashes: they mean the same in Markdown and in HTML, and no
    renderer takes them for structure. Mentions, ``#1`` and bare URLs do not become links. Plainly harmless
    text between backticks stays code, as our own hints want it.
    """
    return _SPECIAL_OR_CODE.sub(_escaped, one_line(text, limit).strip())


def code(text: str, limit: int = 300) -> str:
    """``text`` as inline code, safe for any text in any place; empty stays empty.

    Backticks only around text that is plainly harmless; a pipe or backtick inside them would need rules
    that differ between renderers.
    """
    shown = one_line(text, limit).strip()
    if not shown or _PLAIN_CODE.fullmatch(shown):
        return f"`{shown}`" if shown else ""
    return f"<code>{_SPECIAL.sub(_escaped, shown)}</code>"


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text.startswith("`") and len(text) > 1:
        return text
    if text in "@#" and found.start() > 0:
        return text + "<!-- -->"  # a character reference would still be taken for a mention
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return "".join(named.get(character, f"&#{ord(character)};") for character in text)


def tail(text: str, *, lines: int, size: int) -> str:
    """The end of ``text``: at most ``lines`` lines and ``size`` bytes, with a word on what was left out."""
    kept = "\n".join(text.rstrip("\n").split("\n")[-lines:])
    data = kept.encode("utf-8", "backslashreplace")
    if len(data) > size:
        kept = data[-size:].decode("utf-8", "ignore")
        kept = kept.partition("\n")[2] or kept
    left_out = text.rstrip("\n").count("\n") - kept.count("\n")
    return f"({left_out} earlier lines left out)\n{kept}" if left_out else kept


def head(text: str, *, size: int, notice: str) -> str:
    """The beginning of ``text`` in at most ``size`` bytes of UTF-8; what is cut is replaced by ``notice``.

    The cut is made at a line's end where there is one. Returns nothing when not even the notice fits.
    """
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= size:
        return data.decode()
    room = size - len(f"\n{notice}\n".encode())
    if room < 0:
        return ""
    kept = data[:room].decode("utf-8", "ignore")
    kept = kept[: kept.rfind("\n") + 1] or kept
    return f"{kept}\n{notice}\n"


def duration(seconds: float) -> str:
    """How long something took: ``1.2 s``, ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def ago(seconds: float) -> str:
    """An age in its largest unit, rounded down: ``40 s``, ``3 min``, ``3 h``, ``4 d``."""
    whole = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
