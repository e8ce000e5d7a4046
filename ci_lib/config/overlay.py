"""Laying an environment's settings over the stack's, and filling in ``{stack}`` and ``{environment}``."""

import re
from typing import TypeVar

from pydantic import BaseModel

from ci_lib.config.models import Stack, StackSettings

# Not after "$": in a command, ${stack} is the shell's own.
PLACEHOLDER = re.compile(r"(?<!\$)\{(stack|environment)\}")

M = TypeVar("M", bound=BaseModel)


def settings_of(stack: Stack, environment: str) -> StackSettings:
    """The stack's settings with those of one environment laid over; placeholders are still there."""
    base = StackSettings.model_construct(
        _fields_set=stack.model_fields_set & StackSettings.model_fields.keys(),
        **{name: getattr(stack, name) for name in StackSettings.model_fields},
    )
    return overlay(base, stack.environments.get(environment, StackSettings()))


def overlay(base: M, over: BaseModel) -> M:
    """``base`` with the keys that are written in ``over``.

    Mappings are merged key by key at every depth; lists are replaced whole.
    """
    return base.model_copy(
        update={name: _merged(getattr(base, name), getattr(over, name)) for name in over.model_fields_set}
    )


def _merged(base: object, over: object) -> object:
    if isinstance(base, BaseModel) and isinstance(over, BaseModel):
        return overlay(base, over)
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _merged(base[key], new) if key in base else new for key, new in over.items()}
    return over


def fill(value: M, *, stack: str, environment: str) -> M:
    """``value`` with ``{stack}`` and ``{environment}`` filled in, in every text at every depth."""
    names = {"stack": stack, "environment": environment}
    filled = _filled(value, names)
    assert isinstance(filled, type(value))
    return filled


def fill_text(text: str, *, stack: str, environment: str) -> str:
    """The same for a single text."""
    return str(_filled(text, {"stack": stack, "environment": environment}))


def _filled(value: object, names: dict[str, str]) -> object:
    match value:
        case str():
            return PLACEHOLDER.sub(lambda found: names[found[1]], value)
        case tuple():
            return tuple(_filled(one, names) for one in value)
        case dict():
            return {key: _filled(one, names) for key, one in value.items()}
        case BaseModel():
            parts = {name: _filled(getattr(value, name), names) for name in type(value).model_fields}
            return type(value).model_construct(_fields_set=value.model_fields_set, **parts)
        case _:
            return value
