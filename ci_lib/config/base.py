"""What all models of deploy.yml have in common: the base class, and the kinds of text and number."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ci_lib.config.patterns import ENV, NAME, PREFIX, SERVICE, URI

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""Names become paths, labels and lines of a log: lower case, digits, dash, underscore, 63 at most."""
Prefix = Annotated[str, StringConstraints(pattern=PREFIX)]
"""The beginning of a name, short enough to leave room for its end."""
Words = Annotated[str, StringConstraints(min_length=1)]
"""Any text but none."""
EnvName = Annotated[str, StringConstraints(pattern=ENV)]
"""The name of an environment variable: secrets stand in the file as such names alone."""
ServiceName = Annotated[str, StringConstraints(pattern=SERVICE)]
"""What Docker Compose allows, and never an option: it begins with a letter or digit."""
Uri = Annotated[str, StringConstraints(pattern=URI)]
"""A name that nobody else has; nothing is fetched from it."""
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
"""A program and its arguments; no shell reads them."""
Port = Annotated[int, Field(ge=1, le=65535)]


class Model(BaseModel):
    """Unknown keys are errors; values never change after loading.

    The text below a field is its description: ``config/schema.py`` reads it from the source, since pydantic
    would do so at every start of the program.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
