"""Keeping the dated record of a release: in the checkout, and as a page of the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ci_lib.cli.console import Session
from ci_lib.cli.papers import confined, draft_of, template_of
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.outcome import Outcome
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.sections import append_section
from ci_lib.ports.system import SystemClock
from ci_lib.records.bodies import stamp
from ci_lib.report.release_facts import Facts
from ci_lib.report.release_record import BUILT_IN, leaves_record, render


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Keeps the record of one run, if its stack has one; ``settings`` are None where none could be read.

    Whatever goes wrong is a note: a record must not turn a green release red.
    """

    session: Session
    settings: Resolved | None

    def page(self, outcome: Outcome) -> Mapping[str, bytes]:
        """The record as a file for the evidence, since a CI's checkout is thrown away."""
        return {"release.md": self.section(outcome).encode()} if self._wanted(outcome) else {}

    def kept(self, outcome: Outcome) -> Outcome:
        """Append the record to the day's file; the outcome, which is masked already, with a word on it."""
        if self.settings is None or not self._wanted(outcome):
            return outcome
        day = _dated(outcome).started_at[:10]
        folder = self.settings.settings.release.record.rstrip("/")
        try:
            path = confined(self.settings, folder) / f"{day}.md"
            heading = f"# Releases of {day} (UTC)\n"
            append_section(path, f"\n{self.section(outcome)}", heading=heading)
            note = f"the release record is {folder}/{day}.md"
        except (ConfigFault, PortFault) as fault:
            note = f"the release record could not be written: {fault}"
        return replace(outcome, notes=(*outcome.notes, self.session.redact(note)))

    def _wanted(self, outcome: Outcome) -> bool:
        return bool(self.settings and self.settings.settings.release.record) and leaves_record(outcome)

    def section(self, outcome: Outcome) -> str:
        """The record, as Markdown; raises ``AssertionError`` without settings."""
        assert self.settings is not None
        template = BUILT_IN
        try:
            template = template_of(self.settings)
        except ConfigFault as fault:  # a rollback does not wait for somebody to mend a template
            outcome = replace(outcome, notes=(*outcome.notes, f"the built-in template was used: {fault}"))
        return render(template, Facts(outcome=_dated(outcome), sections=self._sections(self.settings)))

    def _sections(self, settings: Resolved) -> Mapping[str, str]:
        try:
            draft = draft_of(settings)
        except ConfigFault:  # preflight has said so
            draft = None
        names = settings.settings.release.sections if draft else ()
        return {name: self.session.redact(draft.section(name)) for name in names if draft}


def _dated(outcome: Outcome) -> Outcome:
    """The outcome with the time at which it began; a run that did not get to the engine began just now."""
    return outcome if outcome.started_at else replace(outcome, started_at=stamp(SystemClock().now()))
