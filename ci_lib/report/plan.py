"""The text that ``plan`` prints."""

from collections.abc import Iterator

from ci_lib.domain.images import Release
from ci_lib.domain.plan import Plan
from ci_lib.domain.text import duration
from ci_lib.report.facts import short
from ci_lib.report.history import aligned


def plan(steps: Plan, release: Release, previous: Release | None) -> str:
    """Images old and new, then the steps in order with their time limits and their way back."""
    rows = [
        (image.name, _old(previous, image.name), f"{image.label} {short(image.digest)}")
        for image in release.images
    ]
    images = aligned(("IMAGE", "NOW", "THEN"), rows, none="No images.")
    return images + "\n" + "".join(f"{line}\n" for line in _steps(steps))


def _steps(steps: Plan) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        back = ", then ".join(undo.name for undo in step.undo)
        way = f"; if anything after it fails: {back}" if back else ""
        yield f"{number:2}. {step.name} (at most {duration(step.time_limit)}){way}"


def _old(previous: Release | None, name: str) -> str:
    image = previous.image(name) if previous else None
    return f"{image.label} {short(image.digest)}" if image else "-"
