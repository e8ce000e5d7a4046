"""The team's ``on_failure`` scripts."""

from collections.abc import Mapping
from dataclasses import replace

from ci_lib.domain.outcome import Outcome
from ci_lib.engine.tools import Tools
from ci_lib.ports.protocols import PortFault


def tell_of_failure(tools: Tools, outcome: Outcome, facts: Mapping[str, str]) -> Outcome:
    """Run the scripts; they cannot make it worse, nor better: one that fails is a note."""
    settings = tools.settings.settings
    told = {
        **facts,
        "DEPLOY_STATUS": str(outcome.status),
        "DEPLOY_FAILURE": outcome.failure.cause if outcome.failure else "",
    }
    notes = []
    for command in settings.hooks.on_failure:
        try:
            ran = tools.hook(command, told, settings.limits.hook)
            failed = "" if ran.ok else f"exited {ran.code}: {ran.said}"
        except PortFault as fault:
            failed = str(fault)
        if failed:
            notes.append(f"hook on_failure {command[0]!r} {failed}")
    return replace(outcome, notes=(*outcome.notes, *notes))
