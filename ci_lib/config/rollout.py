"""How a release goes over the hosts of one environment, where it has several."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from ci_lib.config.base import Model
from ci_lib.config.patterns import BATCH, KINDS
from ci_lib.config.text import shown


def batch_size(value: object) -> str:
    """A number of hosts from 1, or a share of them from ``1%`` to ``100%``, as text; raise ``ValueError``."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if re.fullmatch(BATCH.rstrip("$"), text) is None:
        raise ValueError(f"{shown(value)} is no size of a batch: {KINDS[BATCH].rule}")
    return text


_schema: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 9999},
        {"type": "string", "pattern": BATCH, "examples": ["25%"]},
    ]
}

BatchSize = Annotated[str, BeforeValidator(batch_size), WithJsonSchema(_schema)]


class Rollout(Model):
    """How a release goes over an environment's hosts; without effect where there is one."""

    batch: BatchSize = "1"
    """How many hosts are switched together, or which share of them; the next batch waits for their checks."""
    max_parallel: int = Field(default=10, ge=1, le=100)
    """On how many hosts something is done at the same time."""
    on_host_failure: Literal["all", "batch", "none"] = "all"
    """Who goes back when a host fails: every host, its batch, or itself alone. No further batch is begun."""

    def size(self, hosts: int) -> int:
        """How many of ``hosts`` hosts make a batch: a share is rounded up."""
        if not self.batch.endswith("%"):
            return int(self.batch)
        return -(-hosts * int(self.batch[:-1]) // 100)
