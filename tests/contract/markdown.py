"""The pieces that the generated pages share."""

from collections.abc import Sequence

from ci_lib.cli.options import Option


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cell(text: str) -> str:
    """Plain text as it may stand in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def default_of(option: Option, default: str) -> str:
    """The default as a reader wants to see it."""
    return "required" if option.required else f"`{default}`" if default else ""
