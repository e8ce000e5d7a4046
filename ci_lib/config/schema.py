"""The JSON Schema of deploy.yml, generated from the models; running this module prints it."""

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from ci_lib.config.models import DeployConfig
from ci_lib.config.patterns import DURATION, PERCENT
from ci_lib.config.units import duration_text, percent_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that editors and ``check-jsonschema`` understand.

    It says what the shape must be; the rules between parts (``config/rules.py``) are beyond it.
    """
    made = DeployConfig.model_json_schema(by_alias=True, schema_generator=_Described)
    for part in parts(made):
        _close(part)
        _default_as_written(part)
    return {"$schema": DIALECT, "title": "deploy.yml", **{k: v for k, v in made.items() if k != "title"}}


def parts(node: object) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema, from the outside in."""
    if isinstance(node, dict):
        yield node
        for under in node.values():
            yield from parts(under)
    elif isinstance(node, list):
        for under in node:
            yield from parts(under)


class _Described(GenerateJsonSchema):
    """Gives every key the description that stands below its field in the source."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        """As pydantic does, with the descriptions."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, text in _descriptions(model).items():
            made["properties"][model.model_fields[name].alias or name]["description"] = text
        return made


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Field → the text below it, those of the models that this one extends included."""
    found: dict[str, str] = {}
    for origin in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (source,) = ast.parse(inspect.getsource(origin)).body
        assert isinstance(source, ast.ClassDef)
        for field, below in pairwise(source.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
    return found


def _close(part: dict[str, Any]) -> None:
    """Refuse the keys that fit no pattern, which pydantic's schema lets through."""
    if "patternProperties" in part:
        part["additionalProperties"] = False


def _default_as_written(part: dict[str, Any]) -> None:
    """Show the defaults of durations and percentages as text: numbers would not be valid."""
    texts = {DURATION: duration_text, PERCENT: percent_text}
    pattern = part.get("pattern")  # of a mapping with a key of that name, it is no text
    if isinstance(pattern, str) and pattern in texts and isinstance(part.get("default"), float):
        part["default"] = texts[pattern](part["default"])


def text() -> str:
    """The schema as the file in ``docs/reference`` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
