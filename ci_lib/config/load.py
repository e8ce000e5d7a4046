"""deploy.yml's text to a checked configuration; every mistake is reported at once."""

import json
from dataclasses import dataclass

from pydantic import ValidationError

from ci_lib.config.document import parse
from ci_lib.config.explain import explain
from ci_lib.config.mistakes import Lines, fault
from ci_lib.config.models import DeployConfig
from ci_lib.config.rules import broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that keeps every rule, with the name of its file and the line of each part."""

    config: DeployConfig
    name: str
    lines: Lines


def load(text: str, *, name: str) -> Loaded:
    """Read and check ``text``; ``name`` is how messages call the file.

    Raises ``ConfigFault`` with a line for each mistake: first those of the text as YAML, without them those
    of the shape of its parts, without them those between its parts.
    """
    document = parse(text, name=name)
    try:
        # By way of JSON, whose strict mode takes a list for a tuple, but never text for a number.
        config = DeployConfig.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise fault(explain(errors, DeployConfig), name=name, lines=document.lines) from None
    mistakes = list(broken(config))
    if mistakes:
        raise fault(mistakes, name=name, lines=document.lines)
    return Loaded(config=config, name=name, lines=document.lines)
