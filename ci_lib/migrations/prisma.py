"""Prisma Migrate: migrations are folders of the image, ``migrate status`` compares them with the database.

Its words, and that it ends with 1 unless all is applied: prisma/prisma, packages/migrate/src/commands,
MigrateStatus.ts and MigrateDeploy.ts, 4.x to 7.x. It prints what is pending and never what is applied, so the
folders are listed too. What failed half-way is marked in the database, and shows. There is no way back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ci_lib.domain.schema import Ahead, Argv, Schema, Unreadable
from ci_lib.migrations.words import reason
from ci_lib.ports.protocols import Ran

_DONE = "Database schema is up to date!"
_PENDING = re.compile(r"^Following migrations? have not yet been applied:\n((?:\S.*\n)+)", re.MULTILINE)
_FAILED = re.compile(r"^Following migrations? have failed:\n((?:\S.*\n)+)", re.MULTILINE)
_DIVERGED = "local migration history and the migrations table from your database are different"
_UNMANAGED = "The current database is not managed by Prisma Migrate"
_NAME = re.compile(r"Migration name: (\S+)")
_RESOLVE = "see `prisma migrate resolve`, or restore the backup from before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prisma:
    """``MigrationTool``; ``folder`` holds the migrations inside the image."""

    program: Argv = ("npx", "prisma")
    folder: str = "prisma/migrations"
    name: str = "prisma"

    def questions(self) -> tuple[Argv, ...]:
        """The migrations of the image, and what the database lacks of them."""
        return (("ls", "-1", "--", self.folder), (*self.program, "migrate", "status"))

    def read(self, answers: tuple[Ran, ...]) -> Schema:
        """The newest migration is the head; the one before the first pending one is where it stands."""
        listed, status = answers
        if not listed.ok:
            raise Unreadable(reason(listed), hint="`migration.folder` is the folder inside the image")
        names = tuple(sorted(name for name in listed.stdout.split("\n") if name and "." not in name))
        text = f"{status.stdout}\n{status.stderr}\n"
        if failed := _FAILED.search(text):
            names_of = ", ".join(failed[1].split())
            raise Unreadable(f"an earlier migration failed half-way: {names_of}", hint=_RESOLVE)
        if _DIVERGED in text:
            raise Ahead("the database has migrations that this image does not have", hint=_RESOLVE)
        if _UNMANAGED in text:
            raise Unreadable("the database is not managed by Prisma Migrate", hint="baseline it first")
        if found := _PENDING.search(text):
            pending = tuple(found[1].split())
            applied = tuple(name for name in names if name not in pending)
            return Schema(current=applied[-1:], heads=names[-1:], pending=pending)
        if status.ok and _DONE in text:
            return Schema(current=names[-1:], heads=names[-1:])
        raise Unreadable(reason(status))

    def apply(self) -> Argv:
        """What production runs: no questions, no shadow database."""
        return (*self.program, "migrate", "deploy")

    def down(self, to: tuple[str, ...]) -> tuple[Argv, Mapping[str, str]]:
        """There is none; deploy.yml refuses `reversible`."""
        raise Unreadable(f"Prisma has no way back to {', '.join(to)}")

    def blamed(self, ran: Ran) -> str:
        """The name in the error P3018."""
        found = _NAME.search(ran.stdout + "\n" + ran.stderr)
        return found[1] if found else ""
