"""What a run that puts the data of a backup back has to know, and to demand, before it plans anything."""

from collections.abc import Callable
from dataclasses import replace

from ci_lib.domain.backups import Backups, Saved
from ci_lib.domain.errors import ConfigFault, DeployError, StepFault
from ci_lib.domain.plan import Plan, StepKind
from ci_lib.domain.reasons import Reason
from ci_lib.engine.survey import survey_rollback, survey_serving
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.ground import Ground
from ci_lib.records.chain import Chain


def backups_of(tools: Tools) -> Backups:
    """The backups of this stack and environment; raise ``ConfigFault`` where the target makes none."""
    if tools.backups is None and tools.settings.several:
        hint = "keep databases in a stack of their own, in an environment of one host"
        where = f"{tools.settings.environment} has several hosts"
        raise ConfigFault(f"{where}, and backups work on one", hint=hint)
    if tools.backups is None:
        raise ConfigFault(f"target {tools.settings.target} makes no backups", hint="use target compose")
    return tools.backups


def named(tools: Tools, name: str, reason: Reason = Reason.RESTORE) -> Saved:
    """The backup of that name, the newest for an empty one; raise ``StepFault`` (``reason``) for none."""
    listed = backups_of(tools).listed()
    found = next((saved for saved in listed if name in ("", saved.name)), None)
    if found is None:
        what = f"there is no backup {name}" if name else "there is no backup yet"
        raise StepFault(what, hint="see `backup --list`", reason=reason)
    return found


def planned(ground: Ground, tools: Tools, make: Callable[[Ground], Plan]) -> tuple[Ground, Plan]:
    """The ground and its plan; a backup in it gets its name here, for which the host has to be asked."""
    plan = make(ground)
    if tools.backups is None or not any(step.kind is StepKind.BACKUP for step in plan):
        return ground, plan
    ground = replace(ground, backup=tools.backups.fresh(tools.clock.now()))
    return ground, make(ground)


def survey_restore(request: Request, tools: Tools) -> Ground:
    """What a restore stands on: the release that serves, whatever its services are doing now."""
    named(tools, request.backup)
    ground = survey_serving(request, tools, None)
    _demand_ours(tools)
    return replace(ground, skip_checks=request.skip_checks)


def survey_rollback_with_data(request: Request, tools: Tools, chain: Chain | None) -> Ground:
    """What a rollback with data stands on: without a version, the release that the backup was made of."""
    saved = named(tools, request.backup)
    if not request.version:
        if saved.release is None:
            hint = "name one with --version"
            raise StepFault(f"backup {saved.name} names no release", hint=hint, reason=Reason.RESTORE)
        _demand_kept(saved, tools)
        request = replace(request, version=saved.release.id)
    _demand_ours(tools)
    return survey_rollback(request, tools, chain)


def _demand_kept(saved: Saved, tools: Tools) -> None:
    """The release's files come from what is kept, not from the backup: only those are known to be whole."""
    release = saved.release
    if release is None or any(item.release.id == release.id for item in tools.target.kept()):
        return
    raise DeployError(
        f"the files of {release.version} ({release.id[:12]}), which backup {saved.name} was made of, "
        f"are not kept on {tools.settings.host} any more",
        hint=f"deploy {release.version} again from its commit, then `restore --backup {saved.name}`; "
        "or give --version with one of rollback --list",
        reason=Reason.PREFLIGHT,
    )


def _demand_ours(tools: Tools) -> None:
    """What was not deployed by us cannot be started again from what is remembered."""
    if not any(item.current for item in tools.target.kept()):
        raise DeployError(
            f"nothing runs in {tools.settings.environment} that deploy-actions has deployed",
            hint="deploy once, then run this again",
            reason=Reason.RESTORE,
        )
