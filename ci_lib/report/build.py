"""The images of a build as Markdown: one row each, and every platform's digest for the auditor."""

from ci_lib.domain.build import BuiltImage, Variant
from ci_lib.domain.text import code, duration
from ci_lib.report.facts import short
from ci_lib.report.markdown import table


def builds(images: tuple[BuiltImage, ...]) -> str:
    """The table of images; empty without any."""
    rows = [
        (
            code(built.image.name),
            code(built.image.repository),
            ", ".join(code(tag) for tag in built.tags),
            code(short(built.image.digest)),
            ", ".join(code(variant.platform) for variant in built.variants),
            ", ".join(_size(variant) for variant in built.variants),
            "there already" if built.reused else duration(built.seconds),
        )
        for built in images
    ]
    return table(("Image", "Repository", "Tags", "Digest", "Platforms", "Size", "Time"), rows)


def digests(built: BuiltImage) -> tuple[tuple[str, str], ...]:
    """The digest for each platform, where there are several or it is another than the image's."""
    return tuple(
        (f"Image {code(built.image.name)} for {code(variant.platform)}", code(variant.digest))
        for variant in built.variants
        if variant.digest != built.image.digest
    )


def _size(variant: Variant) -> str:
    """What a pull transfers, in the units of registries (powers of 1000)."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if variant.size >= size:
            return f"{variant.size / size:.1f} {unit}"
    return f"{variant.size} B"
