"""How messages about deploy.yml show what a user wrote, and guess what was meant."""

import difflib
from collections.abc import Iterable

SHOWN = 60
"""Characters of a value that a message shows; it may be a secret, or a whole script."""


def clean(text: str, limit: int = SHOWN) -> str:
    """``text`` on one line, control and invisible characters escaped, shortened to ``limit``."""
    text = text[: limit + 1]
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quoted(text: str) -> str:
    """``text`` in double quotes, fit for a message."""
    return f'"{clean(text)}"'


def shown(value: object) -> str:
    """A value of deploy.yml as a message may show it; lists and mappings are only named."""
    match value:
        case str():
            return quoted(value)
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return clean(str(value))
        case dict():
            return "a mapping"
        case _:
            return "a list"


def listed(names: Iterable[str]) -> str:
    """``a, b, c``, at most sixteen of them."""
    names = list(names)
    return ", ".join(clean(name) for name in names[:16]) + (", …" if len(names) > 16 else "")


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` most likely stands for, if there is one."""
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:SHOWN].lower(), list(folded), n=1, cutoff=0.55)
    return folded[found[0]] if found else None


def instead(word: str, known: Iterable[str], *, are: str = "known are") -> str:
    """The second half of a message about an unknown word: what was meant, else what there is."""
    known = list(known)
    guess = near(word, known)
    if guess is not None:
        return f"did you mean {quoted(guess)}?"
    return f"{are}: {listed(known)}" if known else "there are none"
