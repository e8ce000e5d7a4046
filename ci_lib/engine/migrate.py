"""Performing MIGRATE: where the schema stands, what is applied, and where it stands then.

The engine does it itself, so that no target can be lenient about it: a target only runs the tool's commands.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ci_lib.config.migration import Migration
from ci_lib.domain.errors import DeployError, Refusal, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.schema import Ahead, MigrationTool, Schema, SchemaChange, Unreadable
from ci_lib.domain.state import Entry
from ci_lib.domain.target import OneOff
from ci_lib.engine.tools import Tools
from ci_lib.migrations.table import tool_of
from ci_lib.migrations.words import reason
from ci_lib.ports.protocols import PortFault, Ran

_ASKING = 60.0
"""Seconds for one question to the tool."""


class Migrator:
    """Performs BACKUP and MIGRATE; ``change`` is what became of the schema, None before it was looked at.

    ``note`` writes a line into the journal.
    """

    def __init__(self, tools: Tools, note: Callable[[Step, Entry], None]) -> None:
        self._tools = tools
        self._note = note
        self._before: Schema | None = None
        self._first: Schema | None = None
        self._backup = ""
        self.change: SchemaChange | None = None
        self.steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.BACKUP: self._save,
            StepKind.MIGRATE: self._migrate,
        }

    def read(self, step: Step) -> Schema:
        """Where the schema stands; raises ``StepFault`` (MIGRATION) when the tool does not tell."""
        tool = self._tool
        try:
            answers = tuple(self._run(step, question, limit=_ASKING) for question in tool.questions())
            return tool.read(answers)
        except Unreadable as fault:
            what = f"{tool.name} does not tell where the schema stands: {fault}"
            raise StepFault(what, hint=fault.hint, reason=Reason.MIGRATION) from fault

    def _save(self, step: Step) -> StepReport:
        """Make a backup; one that is only for a migration is left out where nothing is pending."""
        conditions: Mapping[str, Any] | None = step.args.get("if_pending")
        if conditions is not None:
            release = Release.from_json(conditions["release"])
            if not self._pending(replace(step, release=release, args=conditions)):
                return StepReport(skipped=True, notes=("no migration is pending",))
        report = self._tools.target.apply(step)
        self._backup = "; ".join(report.notes)
        return report

    def _migrate(self, step: Step) -> StepReport:
        try:
            before, to = self._known_before(step), step.args["to"]
        except StepFault as fault:
            ahead = isinstance(fault.__cause__, Ahead) and step.args["to"] is None
            if ahead and (step.args["serves"] or self._settings.compatible):
                return StepReport(notes=(f"{fault.__cause__}; the schema stays as it is",))
            raise
        self._before = None  # a second MIGRATE, on the way back, finds another one
        self._first = self._first or before
        self._demand_sound(before, step)
        self._changed(before)
        if _reached(before, to):
            return StepReport(notes=(f"nothing to do: the schema stands at {before.label}",))
        self._note(step, {"event": "schema", "before": before.as_json(), "whole": self._whole(before)})
        where = ", ".join(to) or "empty" if to is not None else ", ".join(before.heads)
        self._tools.reporter.note(f"{self._tool.name}: {before.label} → {where}")
        return self._applied(step, before)

    def _applied(self, step: Step, before: Schema) -> StepReport:
        to, tool = step.args["to"], self._tool
        command, env = (tool.apply(), {}) if to is None else tool.down(tuple(to))
        why = ""
        self._changed(None)  # a cancellation may come between
        try:
            ran = self._run(step, command, env, limit=self._settings.time_limit)
            self._show(ran)
            blamed = f"{tool.blamed(ran)}: " if tool.blamed(ran) else ""
            why = "" if ran.ok else f"{blamed}{reason(ran)}"
        except Refusal:  # the lock was lost, and nothing of it is ours to look at any more
            raise
        except (DeployError, PortFault) as fault:
            why = str(fault)
        after = self._after(step)
        self._changed(after)
        if not why and after is not None and _reached(after, to):
            self._note(step, {"event": "schema", "after": after.as_json()})
            return StepReport(notes=(f"the schema went from {before.label} to {after.label}",))
        why = why or f"{tool.name} ended well, and the schema stands at {after.label if after else '?'}"
        moved = after is None or after.current != before.current
        if moved or not self._whole(before):
            raise self._half_done(why, after, moved=moved)
        raise self._failed(why, before)

    def _whole(self, before: Schema) -> bool:
        """Whether an unmoved revision proves that nothing of a failed migration has stayed."""
        declared = self._settings.transactional
        return bool(before.whole) if declared is None else declared

    def _changed(self, after: Schema | None) -> None:
        """Remember where the schema stands now, beside where it stood when the run first looked."""
        assert self._first is not None
        self.change = SchemaChange(
            tool=self._tool.name, before=self._first, after=after, backup=self._backup
        )

    def _pending(self, migration: Step) -> bool:
        """Whether a migration would change anything; it may, where that cannot be told."""
        try:
            return bool(self._known_before(migration).pending)
        except (DeployError, PortFault):
            return True

    def _known_before(self, step: Step) -> Schema:
        if self._before is None:
            self._before = self.read(step)
        return self._before

    def _after(self, step: Step) -> Schema | None:
        try:
            return self.read(step)
        except Refusal:
            raise
        except (DeployError, PortFault) as fault:
            self._tools.reporter.warn(str(fault))
            return None

    def _demand_sound(self, before: Schema, step: Step) -> None:
        expected = tuple(step.args["expected"])
        if expected and set(expected) != set(before.heads):
            raise StepFault(
                f"this image leads to {', '.join(before.heads)}, and {', '.join(expected)} was rehearsed",
                hint="are migrations mounted from the host? Rehearse what is to run here, then promote it",
                reason=Reason.POLICY,
            )
        if len(before.heads) > 1:
            raise StepFault(
                f"the image has several heads: {', '.join(before.heads)}",
                hint="merge them (`alembic merge heads`), build and release again; nothing was changed",
                reason=Reason.MIGRATION,
            )

    def _failed(self, why: str, before: Schema) -> StepFault:
        hint = f"the schema still stands at {before.label}, and what served still serves"
        if "lock timeout" in why.lower() or "lock wait timeout" in why.lower():
            hint += "; somebody holds a lock: end that session, or release when it is quiet"
        return StepFault(why, hint=f"{hint}; mend the migration and release again", reason=Reason.MIGRATION)

    def _half_done(self, why: str, after: Schema | None, *, moved: bool) -> StepFault:
        where = f"the schema stands at {after.label}" if after else "where the schema stands cannot be read"
        if not moved:
            where += ", and nothing says that this database takes DDL back: a part of the next may be there"
        saved = f"; {self._backup}" if self._backup else ""
        return StepFault(
            f"{why}; {where}",
            hint=f"what served was not switched: mend the schema forward, or restore the data{saved}",
            reason=Reason.HALF_MIGRATED,
        )

    def _run(
        self, step: Step, command: tuple[str, ...], env: Mapping[str, str] | None = None, *, limit: float
    ) -> Ran:
        if step.release is None:
            raise StepFault(f"{step.name} needs a release", reason=Reason.BUG)
        return self._tools.target.once(
            OneOff(
                command=command,
                workload=self._settings.service,
                release=step.release,
                staged=step.args["staged"],
                env={**_limits(self._settings), **(env or {})},
                time_limit=limit,
            )
        )

    def _show(self, ran: Ran) -> None:
        for line in (*ran.stdout.splitlines(), *ran.stderr.splitlines()):
            self._tools.reporter.output(line)

    @property
    def _settings(self) -> Migration:
        migration = self._tools.settings.settings.migration
        if migration is None:
            raise StepFault("deploy.yml has no `migration:` any more", reason=Reason.CONFIG)
        return migration

    @property
    def _tool(self) -> MigrationTool:
        return tool_of(self._settings)


def _reached(schema: Schema, to: list[str] | None) -> bool:
    """Whether the schema is where it has to be: nothing pending, or the revisions of an earlier release."""
    return not schema.pending if to is None else set(schema.current) == set(to)


def _limits(settings: Migration) -> Mapping[str, str]:
    """What keeps a statement from waiting, and from working on when nobody waits for it any more.

    libpq reads the first; others find the lock's limit in the second, in seconds. A server does not notice
    that a client was killed: without a limit it would work on, and hold its locks meanwhile.
    """
    lock, longest = settings.lock_timeout, settings.time_limit
    if not lock:
        return {}
    options = f"-c lock_timeout={lock * 1000:.0f} -c statement_timeout={longest * 1000:.0f}"
    return {"PGOPTIONS": options, "DEPLOY_LOCK_TIMEOUT": f"{lock:g}"}
