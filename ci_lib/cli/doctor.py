"""``deploy-actions doctor``: what is missing for safe releases. It only looks."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ci_lib.cli.console import Session, Values, load_file, stack_of
from ci_lib.cli.doctor_machines import machine_rows
from ci_lib.cli.forges import forge_at_hand, forge_name
from ci_lib.cli.look import Found, look
from ci_lib.config.load import Loaded
from ci_lib.config.models import Environment
from ci_lib.config.names import variable_names
from ci_lib.config.resolve import must_exist, resolve
from ci_lib.config.resolved import Resolved
from ci_lib.doctor.forge import Gate, Place, approval_row, forge_rows
from ci_lib.domain.doctor import Row, missing, verdict
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.reasons import Exit
from ci_lib.ports.protocols import PortFault
from ci_lib.report.doctor import doctor

_GATE: Final = "Gate"
"""The check of ``templates/.github/ci.yml``."""

_PIPELINE: Final = "pipeline"
"""What GitLab demands: the whole pipeline, and so the gate in it; ``forge/gitlab_rules.py`` calls it so."""


def run(values: Values) -> Exit:
    """Print a row for everything that was looked at; exit 4 for what is missing, 11 for what nobody told."""

    def find(session: Session) -> Found:
        loaded = load_file(values["config"])
        rows = tuple(_rows(session, loaded, values))
        return Found(data=[row.as_json() for row in rows], text=doctor(rows), exit=verdict(rows))

    return look(values, find)


def _rows(session: Session, loaded: Loaded, values: Values) -> Iterator[Row]:
    places, unfit = _places(loaded, values)
    yield from unfit.values()
    for one in places:
        session.mask(session.env.get(name, "") for name in one.settings.evidence.mask_env)
    forge = forge_at_hand(session)
    yield from forge_rows(
        forge,
        values["branch"] or _default_branch(session),
        _gate(session, values),
        [_asked(one) for one in places],
        lambda name: bool(session.env.get(name)),
    )
    yield from (approval_row(forge, name) for name in unfit if _guarded(loaded.config.environments[name]))
    with ExitStack() as exits:
        yield from machine_rows(session, loaded.config, places, exits)


def _places(loaded: Loaded, values: Values) -> tuple[list[Resolved], dict[str, Row]]:
    """The stack in each environment that is asked about; rows by name for those that cannot take it.

    Such an environment is missing: the stack is the only one, or it was named, and so was meant for it.
    """
    stack, only = stack_of(values, loaded), values["environment"]
    folder = str(Path(values["config"]).resolve().parent)
    if only:
        must_exist("environment", only, loaded.config.environments, loaded.name)
        return [resolve(loaded, stack, only, folder)], {}
    found, unfit = [], {}
    for name in loaded.config.environments:
        try:
            found.append(resolve(loaded, stack, name, folder))
        except ConfigFault as fault:
            hint = f"{fault.hint}; or give --environment, for those that it is meant for".removeprefix("; ")
            seen = missing(fault.message, hint)
            unfit[name] = Row(name=f"environment {name}", wanted=f"takes {stack}", seen=seen)
    return found, unfit


def _asked(settings: Resolved) -> Place:
    guarded = _guarded(settings.place)
    return Place(name=settings.environment, guarded=guarded, names=variable_names(settings))


def _guarded(place: Environment) -> bool:
    return place.requires is not None or place.tier == "production"


def _gate(session: Session, values: Values) -> Gate:
    """The check that was named, else what it is called where our templates are used as they are."""
    if values["check"]:
        return Gate(check=values["check"], told=True)
    return Gate(check=_PIPELINE if forge_name(session) == "gitlab" else _GATE, told=False)


def _default_branch(session: Session) -> str:
    """GitLab says it in a variable, GitHub in the event that started the run; a terminal knows none."""
    if found := session.env.get("CI_DEFAULT_BRANCH"):
        return found
    try:
        event = json.loads(session.runner.read(session.env.get("GITHUB_EVENT_PATH") or "/nonexistent"))
        branch = event["repository"]["default_branch"]
    except (PortFault, ValueError, LookupError, TypeError, RecursionError):
        branch = None
    return branch if isinstance(branch, str) and branch else "main"
