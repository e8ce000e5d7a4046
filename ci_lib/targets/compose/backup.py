"""Backups on the host: files, settings and dumps of databases, with a manifest of their hashes.

A backup is a folder named by its UTC time. It is made as ``<name>.<project>.partial`` and renamed when
everything in it was checked, so that a folder without that ending is a good one. Stacks and environments may
share the parent folder: each counts, and removes, its own backups alone, known by the Compose project.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from ci_lib.config.backup import Database, ServiceDump
from ci_lib.domain.backups import Saved, SavedDatabase
from ci_lib.domain.errors import StepFault
from ci_lib.domain.plan import Step
from ci_lib.ports.protocols import PortFault
from ci_lib.targets.compose.dumps import Dumper, must
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.manifest import FILE, Manifest
from ci_lib.targets.compose.pin import EXPLICIT, LOADED
from ci_lib.targets.compose.site import LOOK, Site

_FILES = """
set -eu; umask 077; mkdir -p "$2"; cd "$1"; rm -rf "$2"/*."$3".partial; folder=$4; mkdir -p "$folder/files"
shift 4
for path in "$@"; do
  [ ! -f "$path" ] || { mkdir -p "$folder/files/$(dirname -- "$path")"; cp "$path" "$folder/files/$path"; }
done
"""

# Hashes, then sizes; what was read from a disk that is full is not what lies on it.
_SUMS = """
set -eu; cd "$1"; find . -type f -exec chmod 600 {} +; find . -type f -exec sync {} +
find . -type f -exec sha256sum {} +; echo --; find . -type f -exec stat -c '%s %n' {} +
"""

# $1 partial, $2 final, $3 parent, $4 how many to keep, $5 the project's line in a manifest, then the names
# that stay in any case. Names sort by time, and only good ones have such a name.
_FINISH = """
set -eu; export LC_ALL=C; [ ! -e "$2" ] || { echo "$2 exists already" >&2; exit 1; }
sync "$1/manifest.json"; mv "$1" "$2"; cd "$3"; sync .; keep=$4 line=$5; shift 5; stay=" $* "
for name in *; do
  case $name in *.partial) continue ;; ????????T??????Z | ????????T??????Z-*) ;; *) continue ;; esac
  ! grep -qsF -- "$line" "$name/manifest.json" || echo "$name"
done | sort -r | tail -n "+$((keep + 1))" | while IFS= read -r old; do
  case $stay in *" $old "*) ;; *) rm -rf -- "$old" ;; esac
done
"""


def backup(site: Site, layout: Layout, step: Step) -> tuple[str, ...]:
    """Make the backup that ``step`` names, let go of the oldest; returns what there is to say about it.

    All dumps share the time limit. Raises ``StepFault`` (BACKUP) when anything in it fails; what was begun is
    removed, now or by the next one.
    """
    manifest = Manifest(site=site)
    name, deadline = str(step.args["backup"]), site.clock.monotonic() + step.time_limit
    began = site.clock.now()
    final = manifest.folder(name)
    partial = f"{final}.{site.project}.partial"
    paths = (*site.compose.files, ".env", LOADED, EXPLICIT)
    with _swept(site, partial):
        copy = ("sh", "-c", _FILES, "sh", site.run_dir, manifest.parent, site.project, partial, *paths)
        must(site.change(*copy, limit=LOOK), "files")
        dumper = Dumper(site=site, layout=layout, folder=partial)
        dumped = [
            (database, dumper.dump(database, deadline - site.clock.monotonic()))
            for database in site.settings.settings.backup.databases
        ]
        sums = must(site.change("sh", "-c", _SUMS, "sh", partial, limit=step.time_limit), "hashes")
        hashes, sizes = map(_columns, f"\n{sums.stdout}".split("\n--\n"))
        saved = Saved(
            name=name,
            made_at=began,
            release=step.release,
            databases=tuple(_saved(item, file, hashes, sizes) for item, file in dumped),
            files=hashes,
        )
        must(site.put(f"{partial}/{FILE}", manifest.text(saved), mode=0o600), "manifest")
        finish = ("sh", "-c", _FINISH, "sh", partial, final, manifest.parent)
        keep = str(site.settings.settings.backup.keep)
        stay = (name, *step.args["stay"])
        must(site.change(*finish, keep, manifest.line, *stay, limit=LOOK), "finishing")
    return (f"backup in {final}", *(_told(item) for item in saved.databases))


@contextmanager
def _swept(site: Site, partial: str) -> Iterator[None]:
    """Remove what was begun when the block fails: on a full disk it would be in everybody's way."""
    try:
        yield
    except StepFault:
        with suppress(StepFault, PortFault):
            site.change("rm", "-rf", partial, limit=LOOK)
        raise


def _saved(
    database: Database, file: str, hashes: Mapping[str, str], sizes: Mapping[str, str]
) -> SavedDatabase:
    return SavedDatabase(
        type=database.type,
        service=database.service,
        database="" if isinstance(database, ServiceDump) else database.database,
        file=file,
        sha256=hashes[file],
        size=int(sizes[file]),
    )


def _told(item: SavedDatabase) -> str:
    return f"{item.name}: {item.file}, {item.size} bytes, sha256 {item.sha256}"


def _columns(text: str) -> Mapping[str, str]:
    """File → what stands before its name."""
    rows = (line.split(maxsplit=1) for line in text.splitlines() if line)
    return {path.removeprefix("./"): value for value, path in rows}
