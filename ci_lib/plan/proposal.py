"""A deploy's plan with everything that a person wants to know before approving it. Pure."""

from collections.abc import Iterator
from typing import Any

from ci_lib.domain.differences import Differences
from ci_lib.domain.images import Image, Release
from ci_lib.domain.plan import Plan, Step
from ci_lib.domain.plan_hash import plan_hash
from ci_lib.domain.proposal import Proposal, SchemaOutlook, ServiceChange
from ci_lib.plan.ground import Ground, strangers
from ci_lib.plan.strategies.recreate import interrupted


def proposal(
    ground: Ground, steps: Plan, *, schema: SchemaOutlook | None, differences: Differences
) -> Proposal:
    """What is shown and approved. ``steps`` is the plan made of ``ground``, before its backup got a name."""
    settings = ground.settings
    limits = settings.settings.limits
    return Proposal(
        stack=settings.stack,
        environment=settings.environment,
        hosts=settings.place.hosts,
        release=ground.release,
        previous=ground.previous,
        unchanged=ground.unchanged,
        services=tuple(_services(ground)),
        differences=differences,
        schema=schema,
        down=interrupted(ground),
        down_for=limits.switch + limits.serving,
        steps=steps,
        hash=plan_hash(parts(ground, steps, schema)),
    )


def parts(ground: Ground, steps: Plan, schema: SchemaOutlook | None) -> dict[str, Any]:
    """What the plan's hash covers: all that is approved, and nothing that changes by itself.

    Times, names made of the time and the health of what runs are not in it; ids are replaced by what they
    mean, so that each part tells of its own matter alone.
    """
    settings, candidate = ground.settings, ground.candidate
    place = [settings.stack, settings.environment, list(settings.place.hosts)]
    each = {host: dict(item.settings) for host, item in candidate.hosts.items()}
    resolved: dict[str, Any] = dict(each) or dict(candidate.settings)
    return {
        "images": [sorted(_image(one.image, one.basis) for one in ground.verified), sorted(ground.only)],
        "files": ground.release.files,
        "settings": [ground.release.services, resolved, list(candidate.others)],
        "serving": _serving(ground),
        "schema": schema.as_json() if schema else None,
        "configuration": [*place, settings.config_hash],
        "steps": [_step(step, ground) for step in steps],
    }


def _services(ground: Ground) -> Iterator[ServiceChange]:
    wrong = {item.workload for item, _ in _strangers(ground)}
    for image in ground.changed:
        for service in ground.settings.images[image.name].services:
            old = ground.previous.image(image.name) if ground.previous else None
            yield ServiceChange(service=service, old=old, new=image, strange=service in wrong)


def _strangers(ground: Ground) -> tuple[tuple[Any, Image], ...]:
    return strangers(ground.previous, ground.settings, ground.running) if ground.previous else ()


def _image(image: Image, basis: str) -> list[str]:
    return [image.name, image.reference, str(basis)]


def _serving(ground: Ground) -> list[Any]:
    """Which release serves, and whether what runs is that release: not how it is, which changes by itself."""
    wrong = [item for item, _ in _strangers(ground)]
    runs = sorted([item.workload, item.release_id, item in wrong] for item in ground.running)
    return [ground.previous.id if ground.previous else "", ground.adopted is not None, runs]


def _step(step: Step, ground: Ground) -> list[Any]:
    """What a step does, with roles in place of releases: those are in the other parts."""
    undo = [_step(item, ground) for item in step.undo]
    about = _role(step.release, ground) if step.release else ""
    args = _without_ids(dict(step.args), ground)
    return [step.name, step.host, about, args, step.time_limit, undo]


def _without_ids(value: Any, ground: Ground) -> Any:  # noqa: ANN401 - any JSON value
    """``value`` with the releases and ids in it replaced by their roles."""
    if isinstance(value, dict):
        if value.keys() >= {"id", "images"}:
            return _role(Release.from_json(value), ground)
        return {key: _without_ids(item, ground) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_ids(item, ground) for item in value]
    if value == ground.release.id:
        return "new"
    return "old" if ground.previous is not None and value == ground.previous.id else value


def _role(release: Release, ground: Ground) -> str:
    if release.id == ground.release.id:
        return "new"
    return "old" if ground.previous is not None and release.id == ground.previous.id else release.id
