"""Whether what runs is still what the ledger says was deployed: looked at without lock, changing nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark, Outcome
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health, Running
from ci_lib.domain.state import Entry
from ci_lib.domain.target import Candidate, Target, Wanted
from ci_lib.engine.lock import POLL, locked
from ci_lib.engine.recover import unfinished
from ci_lib.engine.survey import serving
from ci_lib.engine.tools import Tools
from ci_lib.plan.ground import strangers

_NONE = "none: the release has no such service"


def at_rest(tools: Tools, *, wait: float) -> tuple[Entry, ...]:
    """Return the journal once no run is at work, after at most ``wait`` seconds.

    What a run is about to change is no drift. Raises ``Refusal`` (LOCKED) while one is at work, and
    ``StepFault`` (STATE) where one was interrupted: what runs is then known once that is cleared up.
    """
    deadline = tools.clock.monotonic() + wait
    while (held := tools.state.peek()) is not None and not tools.ended(held.owner):
        if tools.clock.monotonic() >= deadline:
            raise locked(tools, held)
        tools.clock.sleep(POLL)
    entries = tools.state.journal()
    if unfinished(entries):
        raise StepFault(
            "the last run was interrupted, so what should run is not known yet",
            hint="`finalize` or the next run clears up; then compare again",
            reason=Reason.STATE,
        )
    return entries


def compared(tools: Tools, recorded: Release | None) -> tuple[CheckResult, ...]:
    """Every comparison with ``recorded``, the release that the ledger believes to serve.

    Empty where it knows of none, and nothing is there. Raises ``DeployError`` or ``PortFault`` when the
    target cannot be asked.
    """
    fleet = tools.fleet
    if fleet is None:
        return _compared(tools, tools.target, recorded)
    found = fleet.each(fleet.hosts, lambda host: _compared(tools, fleet.at(host), recorded))
    return tuple(
        replace(row, name=f"{row.name} on {host}") for host, rows in found.items() for row in rows
    )


def _compared(tools: Tools, target: Target, recorded: Release | None) -> tuple[CheckResult, ...]:
    now = serving(target)
    if recorded is None:
        return tuple(_unknown(now.release, now.running))
    candidate, rows = _as_kept(target, recorded)
    return (
        _release(recorded, now.release),
        *_images(tools, recorded, now.running),
        *rows,
        *(_instances(tools, candidate, now.running) if candidate else ()),
        *target.drift(recorded),
    )


def told(outcome: Outcome) -> Outcome:
    """The outcome with what to do about a drift."""
    if outcome.failure is None:
        return outcome
    hint = (
        "nothing was changed; find out who did it. Deploying the same version brings images and instances "
        "back; edited files have to be copied back from what the target keeps"
    )
    return replace(outcome, failure=replace(outcome.failure, hint=hint))


def _unknown(release: Release | None, running: tuple[Running, ...]) -> Iterator[CheckResult]:
    """What is there although the ledger knows of no deploy."""
    if release is not None:
        value = f"{_called(release)} was deployed by hand, or recorded elsewhere"
        yield _failed("release", value, "nothing: the ledger knows of no deploy")
    for name, count in _counts(running).items():
        yield _failed(f"containers of {name}", f"{count} there", "none: the ledger knows of no deploy")


def _as_kept(target: Target, recorded: Release) -> tuple[Candidate | None, tuple[CheckResult, ...]]:
    """What the kept files of the release define, or why that cannot be told: then nothing passes."""
    try:
        wanted = Wanted(images=recorded.images, snapshot=recorded.id)
        return target.resolve(wanted), ()
    except StepFault as fault:
        if fault.reason is not Reason.PREFLIGHT:
            raise
        bound = f"the files of {_called(recorded)}, kept and readable"
        return None, (_failed("kept release", fault.message, bound),)


def _release(recorded: Release, current: Release | None) -> CheckResult:
    same = current is not None and current.id == recorded.id
    adopted = " was not deployed by deploy-actions" if current is not None and current.adopted else ""
    value = f"{_called(current)}{adopted}" if current else "nothing"
    return CheckResult(
        name="release", mark=Mark.PASSED if same else Mark.FAILED, value=value, bound=_called(recorded)
    )


def _images(tools: Tools, recorded: Release, running: tuple[Running, ...]) -> Iterator[CheckResult]:
    """The digest of every managed service that has instances; that others have none is told by theirs."""
    wrong = {item.workload: item for item, _ in strangers(recorded, tools.settings, running)}
    there = _counts(running)
    for image in recorded.images:
        known = tools.settings.images.get(image.name)
        for service in known.services if known else ():
            if service not in there:
                continue
            found = wrong.get(service)
            names = found.image_ids if found else (image.pinned,)
            yield CheckResult(
                name=f"image of {service}",
                mark=Mark.FAILED if found else Mark.PASSED,
                value=names[0] if names else "an image that is gone",
                bound=image.pinned,
            )


def _instances(tools: Tools, candidate: Candidate, running: tuple[Running, ...]) -> Iterator[CheckResult]:
    """Instances that are missing or stopped, and those that the release does not have."""
    one_shot = tools.settings.settings.compose.one_shot
    names = (*candidate.workloads, *sorted(candidate.unmanaged - set(candidate.workloads)))
    for name in names:
        there = [item for item in running if item.workload == name]
        wanted = candidate.workloads.get(name)
        yield _one_shot(name, there) if name in one_shot else _lasting(name, there, wanted)
    for name, count in _counts(running).items():
        if name not in names:
            yield _failed(f"containers of {name}", f"{count} there", _NONE)


def _one_shot(name: str, there: list[Running]) -> CheckResult:
    """One that ended well may have been removed since."""
    failed = [f"ended with {item.exit_code}" for item in there if item.exit_code]
    mark = Mark.FAILED if failed else Mark.PASSED
    value = ", ".join(failed) or "done"
    return CheckResult(name=f"instances of {name}", mark=mark, value=value, bound="done")


def _lasting(name: str, there: list[Running], wanted: int | None) -> CheckResult:
    """``wanted`` is None where only that some run is known."""
    stopped = [item for item in there if item.health is Health.EXITED]
    count = len(there) - len(stopped)
    right = not stopped and (count == wanted if wanted is not None else count > 0)
    ill = any(item.health is Health.UNHEALTHY for item in there)
    words = [f"{count} running"]
    words += [f"{len(stopped)} stopped"] if stopped else []
    words += ["unhealthy"] if ill else []
    return CheckResult(
        name=f"instances of {name}",
        mark=Mark.FAILED if not right else Mark.WARNED if ill else Mark.PASSED,
        value=", ".join(words),
        bound=f"{'some' if wanted is None else wanted} running",
    )


def _counts(running: tuple[Running, ...]) -> Mapping[str, int]:
    """Workload → instances; one without a name is known by its id."""
    names = sorted(item.workload or item.instance[:12] for item in running)
    return {name: names.count(name) for name in names}


def _called(release: Release) -> str:
    return f"{release.version} ({release.id[:12]})"


def _failed(name: str, value: str, bound: str) -> CheckResult:
    return CheckResult(name=name, mark=Mark.FAILED, value=value, bound=bound)
