"""Bringing a release's files beside what runs, and asking Compose what it makes of them.

The checkout's files travel as a tar archive, a kept release's are copied on the host. What the host has and
the release has not (``.env``) is linked in, so that Compose sees the folder as it will be.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ci_lib.config.records import GitRecords
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.plan import Step, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.target import Candidate, Wanted
from ci_lib.domain.tree import entries, tree_hash
from ci_lib.ports.protocols import Ran, Tree
from ci_lib.ports.trees import as_tar, refuse_escapes
from ci_lib.targets.compose.commands import Argv, compose
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.parsed import Parsed, differences, parse, services_hash, settings_of
from ci_lib.targets.compose.pin import EXPLICIT, pinned
from ci_lib.targets.compose.site import Site, demand
from ci_lib.targets.trees import read_tree

_THERE = "staged\n"

# $1 run directory, $2 folder to fill, $3 kept files instead of an archive, $4 path of the pin or nothing,
# $5 id of the release, $6 size of the archive and $7 of the pin, which follow each other on standard input;
# then the command. A connection that breaks looks like the end of the input, so the sizes are checked.
_STAGE = """
set -eu; umask 022; run=$1 staged=$2 kept=$3 pin=$4 release=$5 size=$6 more=$7; shift 7
mkdir -p "$run"; umask 077; mkdir -p "$(dirname "$staged")"; rm -rf "$staged" "$staged".*
cat > "$staged.in"; came=$(stat -c %s "$staged.in")
[ "$came" = $((size + more)) ] || { echo 'the files did not arrive completely' >&2; exit 1; }
if [ -n "$kept" ]; then cp -pR "$kept" "$staged"
else mkdir "$staged"; head -c "$size" "$staged.in" | tar -x -p -o -C "$staged"; fi
(cd "$staged" && find . -type f | sed 's,^[.]/,,') > "$staged.paths"
if [ -n "$pin" ]; then
  mkdir -p "$(dirname "$staged/$pin")"; tail -c "$more" "$staged.in" > "$staged/$pin"
  chmod 644 "$staged/$pin"
fi
rm "$staged.in"; printf '%s\\n' "$release" > "$staged.for"
{ echo ./x; sed 's,^,./,' "$staged.paths"; } | sed 's,/[^/]*$,,' | sort -u |
while IFS= read -r folder; do
  for there in "$run/$folder"/* "$run/$folder"/.[!.]*; do
    name=${there##*/}; here="$staged/$folder/$name"
    case $name in .deploy-actions|.git) continue;; esac
    if [ -e "$there" ] && [ ! -e "$here" ] && [ ! -L "$here" ]; then ln -s "$there" "$here"; fi
  done
done
echo staged
"$@"
"""

# Only looked at: the host itself tidies up, whatever becomes of us meanwhile.
_LOOK = f"""
trap 'rm -rf "$staged" "$staged".*' EXIT
trap 'exit 1' HUP INT PIPE TERM
{_STAGE}"""


class Stage:
    """What is about to be: ``plain`` is the wanted release as parsed, ``ready`` the same with its pin.

    ``plain`` is there after ``resolve``, ``ready`` after ``prepare``.
    """

    def __init__(self, site: Site, layout: Layout, memory: Memory) -> None:
        self._site = site
        self._layout = layout
        self._memory = memory
        self._tree: Tree = {}
        self.plain: Parsed | None = None
        self.ready: Parsed | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the checkout's files."""
        return tuple(self._tree)

    @property
    def entries(self) -> Mapping[str, str]:
        """The checkout's files, as ``domain.tree`` spells them."""
        return entries(self._tree)

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of what ``resolve`` parsed, each with the hash of its value."""
        return settings_of(self.plain, self._site.settings.managed) if self.plain else {}

    @property
    def command(self) -> Argv:
        """The beginning of a ``docker compose`` command on what ``prepare`` has staged, pin and all."""
        site, layout = self._site, self._layout
        files = (*layout.files, layout.pin)
        return compose(site.environment, f"{site.state}/next", site.project, files)

    def resolve(self, wanted: Wanted) -> Candidate:
        """The release with its id, of the checkout's files or of kept ones, which keep their identity.

        They are parsed on the host, in a folder that is removed again, since only the host knows the ``.env``
        that completes them.
        """
        if wanted.snapshot:
            return self._resolve_kept(wanted)
        self._layout.follow("")  # what was brought back meanwhile had one of its own
        self._tree = self._source()
        self.plain = parsed = self._look("")
        managed = self._site.settings.managed
        missing = sorted(managed - set(parsed.services))
        if missing:
            raise StepFault(
                f"the Compose file has no service {', '.join(missing)}",
                hint="check `images.*.services` in deploy.yml",
                reason=Reason.PREFLIGHT,
            )
        release = Release(
            images=wanted.images,
            files=tree_hash(self._tree),
            services=services_hash(parsed, sorted(managed)),
        )
        others = parsed.other_images(managed)
        return replace(self._candidate(release, parsed), others=others)

    def prepare(self, step: Step) -> StepReport:
        """Stage what will be, pin and all, and demand that only the pin's images differ."""
        release, plain = step.release, self.plain
        if release is None or plain is None:
            raise StepFault("prepare before resolve", reason=Reason.BUG)
        pin = self._layout.render_pin(release, tuple(step.args["services"]), plain.services)
        snapshot = step.args["snapshot"]
        argv = self._filling(_STAGE, "next", snapshot, pin=pin, release=release.id)
        # A change, although nothing that runs is touched: of two runs only one may fill the folder.
        ran = self._site.change(*argv, stdin=self._archive(snapshot) + pin, limit=step.time_limit)
        self.ready = self._parsed(ran, "next")
        wanted = pinned(release, self._site.settings)
        expected = {name: wanted[name] for name in wanted if name in plain.services}
        wrong = differences(plain, self.ready, expected)
        if wrong:
            raise StepFault(
                f"the pinned Compose file is not what was asked for: {'; '.join(wrong)}",
                reason=Reason.PREFLIGHT,
            )
        if self._layout.loaded:
            return StepReport()
        note = f"plain `docker compose` does not load the pin {EXPLICIT}; `status` prints the command"
        return StepReport(notes=(note,))

    def _resolve_kept(self, wanted: Wanted) -> Candidate:
        remembered = self._memory.read()
        kept = {item.release.id: item.release for item in remembered.kept}.get(wanted.snapshot)
        if kept is None:
            raise StepFault(f"release {wanted.snapshot[:12]} is not kept here", reason=Reason.PREFLIGHT)
        self._layout.follow(remembered.layouts.get(wanted.snapshot, ""))
        self.plain = self._look(wanted.snapshot)
        release = Release(images=wanted.images, files=kept.files, services=kept.services)
        return self._candidate(release, self.plain)

    def _candidate(self, release: Release, parsed: Parsed) -> Candidate:
        managed = self._site.settings.managed
        return Candidate(
            release=release,
            workloads=parsed.workloads(managed),
            unmanaged=frozenset(parsed.workloads(set(parsed.services) - managed)),
            needs=self._needs(parsed),
            settings=settings_of(parsed, managed),
        )

    def _needs(self, parsed: Parsed) -> tuple[str, ...]:
        settings = self._site.settings
        migration = settings.settings.migration
        if migration is None or migration.service not in parsed.services:
            return ()
        return tuple(name for name in parsed.needed_by(migration.service) if name not in settings.managed)

    def _source(self) -> Tree:
        """The checkout's files; raise ``StepFault`` when a Compose file is not among them."""
        settings = self._site.settings
        folder = Path(settings.folder) / self._site.compose.source
        tree = read_tree(folder, without=tuple(Path(settings.folder) / path for path in _not_ours(settings)))
        missing = [name for name in self._site.compose.files if name not in tree]
        if missing:
            raise StepFault(
                f"{folder} has no {', '.join(missing)}",
                hint="check `compose.source` and `compose.files` in deploy.yml",
                reason=Reason.CONFIG,
            )
        refuse_escapes(tree)
        return tree

    def _look(self, snapshot: str) -> Parsed:
        """Parse the files without their pin, in a folder that is gone afterwards."""
        name = f"plan-{secrets.token_hex(6)}"
        limit = self._site.settings.settings.limits.prepare
        ran = self._site.look(
            *self._filling(_LOOK, name, snapshot), stdin=self._archive(snapshot), limit=limit
        )
        return self._parsed(ran, name)

    def _archive(self, snapshot: str) -> bytes:
        return b"" if snapshot else as_tar(self._tree)

    def _filling(
        self, script: str, name: str, snapshot: str, *, pin: bytes = b"", release: str = ""
    ) -> Argv:
        """The command that fills the folder ``name`` of our state and prints what Compose reads there."""
        site, layout = self._site, self._layout
        folder = f"{site.state}/{name}"
        kept = f"{site.state}/releases/{snapshot}/files" if snapshot else ""
        files = (*layout.files, layout.pin) if pin else layout.files
        config = compose(site.environment, folder, site.project, files, "config", "--format", "json")
        sizes = (str(len(self._archive(snapshot))), str(len(pin)))
        begin = ("sh", "-c", script, "sh", site.run_dir, folder, kept, layout.pin if pin else "")
        return (*begin, release, *sizes, *config)

    def _parsed(self, ran: Ran, name: str) -> Parsed:
        _, there, text = ran.stdout.partition(_THERE)
        if not there:
            raise StepFault(f"the files could not be staged on {self._site.host.name}: {ran.said}")
        demand(
            ran,
            "the Compose file does not parse",
            hint="run `docker compose config` in the source folder",
            reason=Reason.PREFLIGHT,
        )
        return parse(text, staged=f"{self._site.state}/{name}", run_dir=self._site.run_dir)


def _not_ours(settings: Resolved) -> Iterator[str]:
    """Paths in the checkout that are no part of a release: the ledger, and what is told about releases."""
    records, release = settings.records, settings.settings.release
    if isinstance(records, GitRecords):
        yield from filter(None, (records.folder,))
    elif not records.host or settings.hosts[records.host].local:
        yield records.path
    yield from filter(None, (release.record, release.draft, release.template, settings.job_folder))
