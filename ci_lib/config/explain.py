"""pydantic's errors as plain sentences at the file's own paths."""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.patterns import KINDS
from ci_lib.config.shape import Place, choices, keys, locate, owners, teller
from ci_lib.config.text import clean, instead, listed, near, shown

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
}


def explain(errors: Sequence[ErrorDetails], root: type[BaseModel]) -> Iterator[Mistake]:
    """One mistake for each error about a file that ``root`` describes.

    Those are left out that only follow from another one.
    """
    misspelt = {_meant(_place(error, root)) for error in errors if error["type"] == "extra_forbidden"}
    for error in errors:
        place = _place(error, root)
        if error["type"] == "missing" and place.path in misspelt:
            continue
        if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
            continue  # pydantic counts the good entries, and the bad ones have errors of their own
        yield Mistake(path=_path(error, place), text=_sentence(error, place))


def _meant(place: Place) -> Path:
    """The path that the user most likely meant to write with an unknown key."""
    guess = near(str(place.path[-1]), _known(place))
    return (*place.path[:-1], guess) if guess else place.path


def _place(error: ErrorDetails, root: type[BaseModel]) -> Place:
    """Where the error is. An error about a mapping's key has a mark of pydantic's after the key."""
    location = error["loc"]
    about_key = error["type"] == "string_pattern_mismatch" and location[-1] == "[key]"
    return locate(location[:-1] if about_key else location, root)


def _known(place: Place) -> list[str]:
    return list(keys(place.holder)) if place.holder else []


def _path(error: ErrorDetails, place: Place) -> Path:
    """Errors about the kind of a check or store belong to the key that names it."""
    return (*place.path, teller(place.type)) if error["type"].startswith("union_tag") else place.path


def _sentence(error: ErrorDetails, place: Place) -> str:
    value, about = error["input"], error.get("ctx", {})
    kind = error["type"]
    if kind in _WANTED:
        return _wanted(_WANTED[kind], value)
    match kind:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return _unknown(str(place.path[-1]), place)
        case "literal_error":
            return _choice(value, choices(place.type))
        case "union_tag_invalid":
            return _choice(value.get(teller(place.type)), choices(place.type))
        case "union_tag_not_found":
            return f"is missing; it is one of {listed(map(str, choices(place.type)))}"
        case "string_pattern_mismatch":
            return f"{shown(value)} does not fit: {KINDS[about['pattern']].rule}"
        case "value_error":
            return str(about["error"])
        case _:
            return _bound(kind, value, about) or clean(error["msg"], 200)


def _unknown(key: str, place: Place) -> str:
    """What is wrong with a key that the model does not have, though another of its kind may."""
    others = owners(place.union, key)
    if len(others) == 1:
        return f'belongs to "{teller(place.union)}: {others[0]}"'
    return f"unknown key, {instead(key, _known(place))}"


def _wanted(wanted: str, value: object) -> str:
    if value is None:
        return f"is empty, and must be {wanted}"
    quotes = "; put it in quotes" if wanted == "text" and isinstance(value, bool | int | float) else ""
    return f"must be {wanted}, not {shown(value)}{quotes}"


def _choice(value: object, known: tuple[object, ...]) -> str:
    """What is wrong with a value that is none of the known ones."""
    if len(known) == 1:
        return f"must be {shown(known[0])}, not {shown(value)}"
    guess = near(value, map(str, known)) if isinstance(value, str) else None
    meant = f', did you mean "{guess}"?' if guess else ""
    return f"{shown(value)} is not one of {listed(map(str, known))}{meant}"


def _bound(kind: str, value: object, about: dict[str, Any]) -> str | None:
    """What is wrong with a value that is too small, too large, too short or too long."""
    size = len(value) if isinstance(value, Sized) else 0
    match kind:
        case "greater_than_equal":
            return f"must be at least {about['ge']}, not {shown(value)}"
        case "less_than_equal":
            return f"must be at most {about['le']}, not {shown(value)}"
        case "string_too_short" | "too_short" if not size:
            return "must not be empty"
        case "too_long":
            return f"must have at most {about['max_length']} entry, and has {size}"
    return None
