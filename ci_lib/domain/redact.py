"""Masking of secrets in everything that is printed or written."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Final, TypeVar, cast
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 4
"""Shorter values are not masked: they would blot out half of every text and protect nothing."""

T = TypeVar("T")

_WORDS = r"passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credential"
_SECRET_NAME: Final = re.compile(_WORDS, re.IGNORECASE)
_NAMES_ONLY: Final = re.compile(r"_(?:env|file)\Z", re.IGNORECASE)
"""``password_env: NAME`` and ``POSTGRES_PASSWORD_FILE=/run/…`` say where a secret is, not what it is."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^\s/@:\"']*):[^\s/\"']+@")
_AUTHORIZATION: Final = re.compile(
    r"(?i)(authorization\\?[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\?[\"']?)[^\r\n\"'\\]+"
)
_BEARER: Final = re.compile(r"(?i)\b(bearer[ \t]{1,3})[\w.~+/=-]{8,}")
_VALUE = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\\"(?:[^\"\\]|\\[^\"])*\\\""
# The patterns start at the telling word and not at the name's beginning, so that they stay linear.
_ASSIGNED: Final = re.compile(
    rf"(?i)(?P<name>(?:{_WORDS})[\w.-]{{0,40}})(?P<sep>[ \t]{{0,3}}=[ \t]{{0,3}})"
    rf"(?P<value>{_VALUE}|[^\s\"']+)"
)
_QUOTED: Final = re.compile(
    rf"(?i)(?P<name>(?:{_WORDS})[\w.-]{{0,40}})(?P<sep>\\?[\"']\s{{0,3}}:\s{{0,3}})"
    rf"(?P<value>{_VALUE}|[\w.+-]+)"
)
_HEADER: Final = re.compile(
    rf"(?im)(?P<name>^[ \t-]{{0,20}}[\w.-]{{0,40}}(?:{_WORDS})[\w.-]{{0,40}})(?P<sep>:[ \t]+)(?P<value>\S.*)$"
)


class Redactor:
    """Masks known secret values, in the forms in which they travel, and whatever looks like a secret.

    One object serves a whole run: what is learnt late (a host's ``.env``) is added to it. Colour sequences
    are dropped on the way, since one in the middle of a secret would hide it. Text is masked *before* it is
    escaped or cut, never after: an escaped secret is no longer recognised.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these values too, from now on."""
        self._forms |= {form for secret in secrets for form in _forms(secret)}

    def __call__(self, text: str) -> str:
        """``text`` with every secret replaced by ``***``."""
        text = _mask_spans(_COLOUR.sub("", text), self._forms)
        text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
        text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
        text = _BEARER.sub(rf"\1{MASK}", text)
        for pattern in (_ASSIGNED, _QUOTED, _HEADER):
            text = pattern.sub(_mask_value, text)
        return text

    def deep(self, obj: T) -> T:
        """``obj`` (JSON data, or dataclasses such as an ``Outcome``) with every text in it masked."""
        return cast(T, self._deep(obj))

    def _deep(self, obj: object) -> object:
        if isinstance(obj, Enum):
            return obj
        if isinstance(obj, str):
            return self(obj)
        if isinstance(obj, Mapping):
            return {self(str(key)): self._entry(str(key), value) for key, value in obj.items()}
        if isinstance(obj, list | tuple):
            return type(obj)(self._deep(item) for item in obj)
        if is_dataclass(obj) and not isinstance(obj, type):
            return replace(obj, **{f.name: self._deep(getattr(obj, f.name)) for f in fields(obj) if f.init})
        return obj

    def _entry(self, key: str, value: object) -> object:
        if isinstance(value, str) and value and names_secret(key):
            return MASK
        return self._deep(value)


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values of all variables whose names look secret."""
    flags = ("true", "false")
    return tuple(value for name, value in env.items() if names_secret(name) and value not in flags)


def secret_lines(secret: str) -> frozenset[str]:
    """The secret itself and, when it has several, each of its lines; nothing too short to be masked."""
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    return frozenset(part for part in parts if len(part) >= SHORTEST)


def names_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, as names go."""
    if name in ("PWD", "OLDPWD"):
        return False  # every shell's working folder
    return _SECRET_NAME.search(name) is not None and _NAMES_ONLY.search(name) is None


def _forms(secret: str) -> Iterator[str]:
    """How a secret may appear: as it is, line by line, in a URL, in JSON, in base64."""
    for part in secret_lines(secret):
        yield part
        for quoted in (quote(part, safe="", errors="replace"), quote_plus(part, errors="replace")):
            yield quoted
            yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield from _base64_forms(part.encode("utf-8", "surrogateescape"))


def _base64_forms(value: bytes) -> Iterator[str]:
    """The value in base64: alone, and as part of a longer text (``user:password``) at all three offsets."""
    found = [base64.b64encode(value).rstrip(b"=")]
    for shift, spoilt in ((0, 0), (1, 2), (2, 3)):
        data = bytes(shift) + value
        encoded = base64.b64encode(data).rstrip(b"=")
        end = len(encoded) - (1 if len(data) % 3 else 0)
        if end - spoilt >= 8:
            found.append(encoded[spoilt:end])
    for encoded in found:
        yield encoded.decode()
        yield encoded.translate(bytes.maketrans(b"+/", b"-_")).decode()


def _mask_spans(text: str, forms: Iterable[str]) -> str:
    """Replace the union of all places where a form stands, so that overlapping secrets leave no rest."""
    spans = sorted(span for form in forms for span in _places(text, form))
    parts: list[str] = []
    masked_to = 0
    for start, end in spans:
        if start >= masked_to:
            parts += [text[masked_to:start], MASK]
        masked_to = max(masked_to, end)
    return "".join([*parts, text[masked_to:]])


def _places(text: str, form: str) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)


def _mask_value(found: re.Match[str]) -> str:
    if _NAMES_ONLY.search(found["name"]):
        return found[0]
    value = found["value"]
    quote_mark = '\\"' if value.startswith('\\"') else value[0] if value[0] in "\"'" else ""
    return f"{found['name']}{found['sep']}{quote_mark}{MASK}{quote_mark}"
