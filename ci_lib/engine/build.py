"""Building: each image is built and pushed, or found as this commit's, and read back from its registry.

A version is never pushed over: what somebody deployed by it must stay what it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ci_lib.domain.build import BuiltImage, Order, Remote, Source
from ci_lib.domain.errors import Cancelled, DeployError
from ci_lib.domain.faults import as_fault
from ci_lib.domain.images import Image, Reference
from ci_lib.domain.outcome import Change, Failure, Mark, Outcome, StepResult
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.reporter import Reporter
from ci_lib.images.fetch import Denied
from ci_lib.ports.protocols import Clock, PortFault

_PATIENCE = (1.0, 3.0)
"""Seconds between looks for what was just pushed: a registry of several machines may need a moment."""

_AGAIN = "run it again: an image that was pushed already is found, and not built again"

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTools:
    """``make`` builds, pushes and returns the digest; ``look`` reads what a registry has under a name."""

    make: Callable[[Order, Told], str]
    look: Callable[[Reference], Remote]
    clock: Clock
    reporter: Reporter


def run_build(orders: Sequence[Order], source: Source, base: Outcome, tools: BuildTools) -> Outcome:
    """Make the images one after the other; the first failure ends it. ``base`` says which run this is."""
    started = tools.clock.monotonic()
    builds: list[BuiltImage] = []
    steps: list[StepResult] = []
    failure: tuple[Order, DeployError] | None = None
    cancelled = False
    for order in orders:
        try:
            builds.append(_step(order, source, tools, steps))
        except (DeployError, PortFault) as fault:
            failure = (order, as_fault(fault) if isinstance(fault, PortFault) else fault)
            break
        except Cancelled:  # what was pushed before has to be told
            cancelled = True
            break
    outcome = replace(
        base,
        builds=tuple(builds),
        changes=tuple(Change(image=built.image) for built in builds),
        steps=tuple(steps),
        seconds=tools.clock.monotonic() - started,
    )
    if cancelled:
        told = Failure(step=steps[-1].name if steps else "build", cause="the run was cancelled", hint=_AGAIN)
        return replace(outcome, status=Status.FAILED, reason=Reason.CANCELLED, failure=told)
    if failure is None:
        return replace(outcome, status=Status.PASSED, reason=Reason.PASSED)
    order, error = failure
    told = Failure(step=_name(order), cause=error.message, hint=error.hint)
    return replace(outcome, status=Status.FAILED, reason=error.reason, failure=told)


def _name(order: Order) -> str:
    return f"build {order.name}"


def _step(order: Order, source: Source, tools: BuildTools, steps: list[StepResult]) -> BuiltImage:
    """Make one image, and tell how that went."""
    started = tools.clock.monotonic()
    notes: list[str] = []
    mark = Mark.FAILED
    tools.reporter.step(_name(order))
    try:
        built = _made(order, source, tools, notes)
        mark = Mark.PASSED
    finally:
        seconds = tools.clock.monotonic() - started
        steps.append(StepResult(name=_name(order), mark=mark, seconds=seconds, notes=tuple(notes)))
        tools.reporter.step_done(steps[-1])
    return replace(built, seconds=seconds)


def _made(order: Order, source: Source, tools: BuildTools, notes: list[str]) -> BuiltImage:
    there = _there(order, tools, notes)
    if there is not None:
        _demand_same(order, source, there)
        left = f"; left where they are: {', '.join(order.tags)}" if order.tags else ""
        notes.append(f"{order.reference} is in the registry already, built from this commit{left}")
        return _built(order, there, reused=True)
    digest = tools.make(order, tools.reporter.output)
    try:
        pushed = _read_back(order, tools)
    except (DeployError, PortFault) as fault:
        names = ", ".join((str(order.reference), *order.tags))
        raise DeployError(
            f"{names} pushed as {digest}, and could not be read back: {fault}",
            hint="look at the registry; running this again reads that image back, and pushes nothing",
            reason=Reason.BUILD,
        ) from fault
    if pushed.digest != digest:
        raise DeployError(
            f"{order.reference} was pushed as {digest}, and the registry has {pushed.digest} under that name",
            hint="another run pushed this version at the same time, or the registry changes what it gets: "
            "deploy neither, and build under another --version",
            reason=Reason.BUILD,
        )
    notes.append(f"{order.reference}@{digest}")
    return _built(order, pushed, reused=False)


def _there(order: Order, tools: BuildTools, notes: list[str]) -> Remote | None:
    """What the registry has under the version already."""
    try:
        return tools.look(order.reference)
    except Denied as denied:
        # Many registries refuse to speak of a repository that a first push will make.
        notes.append(f"not known whether it is there already: {denied.message}")
    except DeployError as error:
        if error.reason is not Reason.IMAGE_MISSING:
            raise
    return None


def _demand_same(order: Order, source: Source, there: Remote) -> None:
    """An image that this very commit is written on may be used; any other keeps its name."""
    if there.revisions == {source.revision} and not source.changed:
        return
    named = ", ".join(sorted(revision or "no commit" for revision in there.revisions)) or "no commit"
    raise DeployError(
        f"{order.reference} is in the registry already, and names {named[:200]}, not {source.revision}",
        hint="a version is never pushed over: choose another --version",
        reason=Reason.BUILD,
    )


def _read_back(order: Order, tools: BuildTools) -> Remote:
    for pause in _PATIENCE:
        try:
            return tools.look(order.reference)
        except DeployError as error:
            if error.reason is not Reason.IMAGE_MISSING:
                raise
        tools.clock.sleep(pause)
    return tools.look(order.reference)


def _built(order: Order, remote: Remote, *, reused: bool) -> BuiltImage:
    image = Image(
        name=order.name, repository=order.repository, digest=remote.digest, tag=order.version
    )
    tags = (order.version,) if reused else (order.version, *order.tags)
    return BuiltImage(image=image, tags=tags, variants=remote.variants, reused=reused)
