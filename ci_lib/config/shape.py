"""Which model and type a place in a file has: pydantic's locations translated to the file's paths."""

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from ci_lib.config.mistakes import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the file, the model that should have its last key (if any), and what may stand there.

    ``union``: what that model is one of, if it is one of several.
    """

    path: Path
    holder: type[BaseModel] | None
    type: object
    union: object = None


def locate(location: tuple[str | int, ...], root: type[BaseModel]) -> Place:
    """Follow an error's location through the models from ``root``, leaving out the tags of unions."""
    path: Path = ()
    here: object = root
    holder: type[BaseModel] | None = None
    union = around = None
    for part in location:
        here = bare(here)
        if is_union(here):
            around, here = here, _member(here, str(part))
            continue
        path = (*path, part)
        holder = here if is_model(here) else None
        union, around = around, None
        here = _inside(here, part)
    return Place(path=path, holder=holder, type=bare(here), union=union)


def bare(annotation: object) -> object:
    """A type without ``Annotated`` and without the ``None`` that stands for "not written"."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        some = [one for one in get_args(annotation) if one is not NoneType]
        if len(some) == 1:
            return bare(some[0])
    return annotation


def is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Whether it is one of our models."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def is_union(annotation: object) -> bool:
    """Whether it is one of several: models that ``type`` tells apart, or forms that have a tag each."""
    return get_origin(annotation) in (Union, UnionType)


def keys(model: type[BaseModel]) -> dict[str, object]:
    """The keys of a model as the file writes them, with their types."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def choices(annotation: object) -> tuple[object, ...]:
    """The values that a closed choice allows, or those that tell the models of a union apart."""
    annotation = bare(annotation)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if is_union(annotation):
        return tuple(tag for one in get_args(annotation) for tag in _tags(one))
    return ()


def teller(annotation: object) -> str:
    """The key whose value tells the models of a union apart."""
    models = [bare(one) for one in get_args(bare(annotation))]
    return "store" if any(is_model(one) and "store" in keys(one) for one in models) else "type"


def owners(union: object, key: str) -> tuple[object, ...]:
    """The values that name the models of a union which have a key."""
    models = [(one, bare(one)) for one in get_args(union)]
    return tuple(tag for one, model in models if is_model(model) and key in keys(model) for tag in _tags(one))


def _member(union: object, tag: str) -> object:
    return next((one for one in get_args(union) if tag in _tags(one)), None)


def _tags(member: object) -> tuple[object, ...]:
    """What names a member of a union in pydantic's locations."""
    tags = tuple(mark.tag for mark in get_args(member)[1:] if isinstance(mark, Tag))
    return tags or (choices(keys(member)["type"]) if is_model(member) else ())


def _inside(annotation: object, part: str | int) -> object:
    if is_model(annotation):
        return keys(annotation).get(str(part))
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return get_args(annotation)[0] if get_args(annotation) else None
