"""Rules for ``migration:``, by itself and beside the stack's images, backups and environments."""

from collections.abc import Iterator

from ci_lib.config.migration import Migration
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import Environment, Stack, StackSettings
from ci_lib.config.text import instead, quoted

_COMMANDS = ("status", "apply", "down")


def broken_migration(migration: Migration, stack: Stack, path: Path) -> Iterator[Mistake]:
    """Every rule that it breaks, whatever the environment."""
    managed = {service for image in stack.images.values() for service in image.services}
    if migration.service not in managed:
        text = f"no image has a service {quoted(migration.service)}, "
        text += instead(migration.service, managed, are="the managed services are")
        yield Mistake(path=(*path, "service"), text=text)
    if migration.tool == "command":
        yield from _command(migration, path)
        return
    for key in _COMMANDS:
        if getattr(migration, key) is not None:
            yield Mistake(path=(*path, key), text='belongs to "tool: command"')
    if migration.tool == "prisma" and migration.policy == "reversible":
        text = 'Prisma has no way back: write "forward-only", or "tool: command" with a "down" of your own'
        yield Mistake(path=(*path, "policy"), text=text)
    if migration.tool != "prisma" and "folder" in migration.model_fields_set:
        yield Mistake(path=(*path, "folder"), text='belongs to "tool: prisma"')


def unprotected(settings: StackSettings, place: Environment, path: Path) -> Iterator[Mistake]:
    """A migration in production that nothing would be saved before, without anybody having said so."""
    backup = settings.backup
    if settings.migration and place.tier == "production" and backup.enabled is None and not backup.databases:
        text = "a migration in production is preceded by a backup, and no database is named here: "
        text += 'name it under "backup", or say "enabled: false"'
        yield Mistake(path=path, text=text)


def _command(migration: Migration, path: Path) -> Iterator[Mistake]:
    for key in ("status", "apply"):
        if getattr(migration, key) is None:
            yield Mistake(path=path, text=f'"tool: command" needs "{key}", a program and its arguments')
    if migration.policy == "reversible" and migration.down is None:
        yield Mistake(path=path, text='"policy: reversible" needs "down", a program and its arguments')
    if migration.program is not None:
        yield Mistake(path=(*path, "program"), text='has no effect: "status" and "apply" say what is called')
