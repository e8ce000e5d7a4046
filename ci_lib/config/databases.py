"""Rules for the databases of a backup, on the layer on which they are written."""

from collections.abc import Iterator

from ci_lib.config.backup import Backup, Database, Mysql, Postgres, ServiceDump
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.text import quoted


def broken_databases(backup: Backup, path: Path) -> Iterator[Mistake]:
    """Every rule that the written databases of a ``backup:`` at ``path`` break."""
    if "databases" not in backup.model_fields_set:
        return
    seen: set[str] = set()
    files: set[str] = set()
    for at, database in enumerate(backup.databases):
        below = (*path, "databases", at)
        if (key := key_of(database)) in seen:
            yield Mistake(path=below, text=f"{quoted(key)} is saved already")
        elif not isinstance(database, ServiceDump) and file_of(database) in files:
            yield Mistake(path=below, text=f"another one is saved as {quoted(file_of(database))}, too")
        seen.add(key)
        if isinstance(database, ServiceDump):
            yield from _service(database, below)
        else:
            files.add(file_of(database))


def key_of(database: Database) -> str:
    """What tells the databases of a stack apart, in deploy.yml as in a manifest."""
    if isinstance(database, ServiceDump):
        return database.service
    return f"{database.service}/{database.database}"


def file_of(database: Postgres | Mysql) -> str:
    """The name of a dump in a backup."""
    ending = "dump" if isinstance(database, Postgres) else "sql.gz"
    return f"{database.service}-{database.database}.{ending}"


def _service(dump: ServiceDump, path: Path) -> Iterator[Mistake]:
    if wrong := _leaves(dump.folder, "run_dir"):
        yield Mistake(path=(*path, "folder"), text=wrong)
    for at, file in enumerate(dump.files):
        if wrong := _leaves(file, "source"):
            yield Mistake(path=(*path, "files", at), text=wrong)
    inside = dump.restore.folder if dump.restore else "/x"
    if not inside.startswith("/") or "\n" in inside or ".." in inside.split("/"):
        text = f'{quoted(inside)} must be an absolute path in the container, without ".."'
        yield Mistake(path=(*path, "restore", "folder"), text=text)


def _leaves(text: str, folder: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or not text or "\n" in text or {"..", ".deploy-actions"} & set(parts):
        return f'{quoted(text)} must be a path inside "{folder}", without ".." and ".deploy-actions"'
    return ""
