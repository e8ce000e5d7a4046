"""The migration tool that deploy.yml names."""

from typing import assert_never

from ci_lib.config.migration import Migration
from ci_lib.domain.schema import MigrationTool
from ci_lib.migrations.alembic import Alembic
from ci_lib.migrations.command import Command
from ci_lib.migrations.prisma import Prisma


def tool_of(migration: Migration) -> MigrationTool:
    """The adapter, with the program that the team calls it by."""
    match migration.tool:
        case "alembic":
            return Alembic(program=migration.program) if migration.program else Alembic()
        case "prisma":
            program = migration.program or Prisma().program
            return Prisma(program=program, folder=migration.folder)
        case "command":
            assert migration.status is not None
            assert migration.apply is not None
            return Command(
                status=migration.status, applying=migration.apply, going_down=migration.down or ()
            )
        case _:
            assert_never(migration.tool)
