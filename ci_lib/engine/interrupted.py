"""What an interrupted run did to the schema, by its journal and, where that does not tell, by the tool."""

from dataclasses import replace

from ci_lib.domain.errors import DeployError
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.plan import Plan, StepKind
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.schema import Schema, SchemaChange
from ci_lib.domain.state import Entry, Lease
from ci_lib.engine.migrate import Migrator
from ci_lib.engine.tools import Tools
from ci_lib.ports.protocols import PortFault


def with_schema(
    tools: Tools, lease: Lease, outcome: Outcome, entries: tuple[Entry, ...], begun: Plan
) -> Outcome:
    """The outcome of an interrupted run with what became of the schema, where it had begun to change it.

    A run that was killed while it migrated, and had switched nothing, ends as HALF_MIGRATED unless the schema
    is found at either end.
    """
    told = [entry for entry in entries if entry["event"] == "schema"]
    if not told:
        return outcome
    before = Schema.from_json(told[0]["before"])
    if outcome.schema is not None:  # the way back has looked, and changed it again
        after = outcome.schema.after
    else:
        after = Schema.from_json(told[-1]["after"]) if "after" in told[-1] else _now(tools, lease, begun)
    tool = tools.settings.settings.migration.tool if tools.settings.settings.migration else ""
    found = replace(outcome, schema=SchemaChange(tool=tool, before=before, after=after))
    if any(step.undo for step in begun):
        return found
    where = f"the schema stands at {after.label}" if after else "where the schema stands cannot be read"
    cause = f"the run was killed while it migrated; {where}; nothing was switched"
    failure = Failure(step="migrate", cause=cause, hint="run the release again: the migration goes on")
    untouched = after is not None and after.current == before.current and told[0]["whole"]
    if untouched or (after is not None and not after.pending):
        return replace(found, failure=failure)
    hint = "look at the database; then run the release again, or restore the data"
    return replace(
        found,
        status=Status.PARTIAL,
        reason=Reason.HALF_MIGRATED,
        failure=replace(failure, hint=hint),
    )


def _now(tools: Tools, lease: Lease, begun: Plan) -> Schema | None:
    """Where the schema stands, by the very step that was interrupted; None when that cannot be told."""
    step = next((step for step in reversed(begun) if step.kind is StepKind.MIGRATE), None)
    if step is None:
        return None
    migrator = Migrator(tools, lambda at, entry: tools.state.note(lease, entry, seconds=at.time_limit))
    try:
        return migrator.read(step)
    except (DeployError, PortFault) as fault:
        tools.reporter.warn(str(fault))
        return None
