"""Files of a release on the host: staged beside what runs, switched in, kept, and brought back.

Below ``<run_dir>/.deploy-actions/``: ``next/`` is what will be, an overlay of the staged files (listed in
``next.paths``) and links to what only the host has (``.env``); ``before/`` is what the last switch replaced;
``releases/<id>/`` are the releases that can be gone back to; ``current`` names the one whose files lie in the
run directory. Nothing of the stack's own is ever deleted, except files that a release brought and the next
one does not have, and files that a failed switch had just added.
"""

import json

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.target import Kept
from ci_lib.ports.protocols import FileData, Ran, Tree
from ci_lib.targets.compose.site import LOOK, Site, demand

KEEP = 5
"""Good releases that are kept, beside the current one and the rollback target."""

# $1 staged folder, $2 run directory, then a command. What the host has and the release has not is linked
# first, so that the command sees the folder as it will be.
_OVERLAY = """
set -eu; umask 077; staged=$1; run=$2; shift 2
{ echo ./x; cat "$staged.paths"; } | while IFS= read -r path; do dirname "./$path"; done | sort -u |
while IFS= read -r folder; do
  for there in "$run/$folder"/* "$run/$folder"/.[!.]*; do
    name=${there##*/}; here="$staged/$folder/$name"
    case $name in .deploy-actions|.git) continue;; esac
    if [ -e "$there" ] && [ ! -e "$here" ] && [ ! -L "$here" ]; then ln -s "$there" "$here"; fi
  done
done
exec "$@"
"""

_FROM_KEPT = """
set -eu; umask 077; rm -rf "$1" "$1.paths"; cp -pR "$2/releases/$3/files" "$1"
(cd "$1" && find . -type f | sed 's,^[.]/,,') > "$1.paths"
cat "$2/releases/$3/layout" 2>/dev/null || true
"""

# $1 run directory, $2 state, $3 id of the new release, $4 id of the old one, $5 its JSON if it is adopted,
# $6 path of the pin, $7 JSON of the new release, $8 its layout.
_SWITCH = """
set -eu; umask 077; run=$1; cd "$2"
rm -rf before before.tmp; mkdir -p before.tmp/files releases; : > before.tmp/absent
{ cat next.paths; printf '%s\\n' "$6"; } | LC_ALL=C sort -u > before.tmp/paths
old=$(cat current 2>/dev/null || true); : > before.tmp/gone
if [ -n "$old" ] && [ -d "releases/$old/files" ]; then
  (cd "releases/$old/files" && find . -type f | sed 's,^[.]/,,') | LC_ALL=C sort > before.tmp/old
  LC_ALL=C comm -23 before.tmp/old before.tmp/paths > before.tmp/gone
fi
cat before.tmp/paths before.tmp/gone | while IFS= read -r path; do
  if [ -e "$run/$path" ]; then
    mkdir -p "before.tmp/files/$(dirname -- "$path")"; cp -p -- "$run/$path" "before.tmp/files/$path"
  else printf '%s\\n' "$path" >> before.tmp/absent; fi
done
[ ! -e current.layout ] || cp current.layout before.tmp/layout
printf '%s\\n' "$3" > before.tmp/for; mv before.tmp before
if [ -n "$5" ] && [ ! -d "releases/$4" ]; then
  rm -rf new.tmp; mkdir new.tmp; cp -pR before/files new.tmp/files; printf '%s\\n' "$5" > new.tmp/release.json
  : > new.tmp/good; mv new.tmp "releases/$4"
fi
rm -rf new.tmp; mkdir -p new.tmp/files; printf '%s\\n' "$7" > new.tmp/release.json
printf '%s' "$8" > new.tmp/layout
while IFS= read -r path; do
  mkdir -p "new.tmp/files/$(dirname -- "$path")"; cp -p "next/$path" "new.tmp/files/$path"
done < before/paths
[ ! -e "releases/$3/good" ] || : > new.tmp/good
rm -rf "releases/$3"; mv new.tmp "releases/$3"
umask 022
while IFS= read -r path; do
  mkdir -p "$run/$(dirname -- "$path")"; cp -p "next/$path" "$run/$path"
done < before/paths
while IFS= read -r path; do rm -f -- "$run/$path"; done < before/gone
printf '%s' "$8" > current.layout
printf '%s\\n' "$3" > current.tmp; mv current.tmp current; touch "releases/$3"
"""

# $1 run directory, $2 state, $3 id of the release that failed, $4 id of the one to bring back.
_RESTORE = """
set -eu; run=$1; cd "$2"
if [ -d before ] && [ "$(cat before/for)" = "$3" ]; then
  cp -pR before/files/. "$run/"
  while IFS= read -r path; do rm -f -- "$run/$path"; done < before/absent
  if [ -e before/layout ]; then cp before/layout current.layout; else rm -f current.layout; fi
fi
if [ -n "$4" ]; then printf '%s\\n' "$4" > current.tmp; mv current.tmp current; else rm -f current; fi
"""

# $2 is the id of a release that is to be marked as good first, or nothing.
_KEPT = """
[ -d "$1/releases" ] || exit 0
cd "$1"; [ -z "$2" ] || : > "releases/$2/good"
cat current 2>/dev/null || echo
ls -t releases | while IFS= read -r id; do
  [ -s "releases/$id/release.json" ] || continue
  [ -e "releases/$id/good" ] && printf 'good ' || printf 'unknown '; head -n 1 "releases/$id/release.json"
done
"""


def stage(site: Site, name: str, tree: Tree, beside: Tree | None = None) -> str:
    """Upload a tree into the folder ``name`` of our state; returns its path.

    ``beside`` are further files of the staged folder, which are not the release's own: they are not listed.
    """
    listed = {f"{name}.paths": FileData(data="".join(f"{path}\n" for path in tree).encode(), mode=0o600)}
    staged = {f"{name}/{path}": file for path, file in {**tree, **(beside or {})}.items()}
    site.host.upload(listed | staged, site.state)
    return f"{site.state}/{name}"


def stage_kept(site: Site, name: str, release_id: str) -> tuple[str, str]:
    """The same with the files of a kept release, which are on the host already; returns its layout too."""
    folder = f"{site.state}/{name}"
    ran = site.look("sh", "-c", _FROM_KEPT, "sh", folder, site.state, release_id)
    demand(ran, f"the files of {release_id[:12]} are not kept here")
    return folder, ran.stdout


def discard(site: Site, name: str) -> None:
    """Remove what was staged."""
    folder = f"{site.state}/{name}"
    demand(site.look("rm", "-rf", "--", folder, f"{folder}.paths"), f"could not remove {folder}")


def seen_from(site: Site, folder: str, argv: tuple[str, ...]) -> Ran:
    """Run a command after links to the host's own files were laid over a staged folder."""
    return site.look("sh", "-c", _OVERLAY, "sh", folder, site.run_dir, *argv)


def switch(
    site: Site, release: Release, *, pin: str, layout: str, previous: str, adopted: Release | None
) -> None:
    """Keep what is replaced, keep the new release and its layout, copy it into the run directory."""
    text, new = json.dumps(adopted.as_json()) if adopted else "", json.dumps(release.as_json())
    arguments = (site.run_dir, site.state, release.id, previous, text, pin, new, layout)
    ran = site.change("sh", "-c", _SWITCH, "sh", *arguments, limit=LOOK)
    demand(ran, f"could not put the files into {site.run_dir}")


def restore(site: Site, *, failed: str, previous: str) -> None:
    """Put back what the switch to the failed release replaced, and take away what it added."""
    arguments = (site.run_dir, site.state, failed, previous)
    ran = site.change("sh", "-c", _RESTORE, "sh", *arguments, limit=LOOK)
    demand(ran, f"could not put the files of {previous[:12] or 'before'} back")


def kept(site: Site) -> tuple[Kept, ...]:
    """The kept releases, the one that was switched to last first."""
    return _read_kept(site.look("sh", "-c", _KEPT, "sh", site.state, ""))


def _read_kept(ran: Ran) -> tuple[Kept, ...]:
    demand(ran, "could not list the kept releases")
    current, *lines = ran.stdout.splitlines() or [""]
    found = []
    for line in lines:
        mark, _, text = line.partition(" ")
        release = Release.from_json(json.loads(text))
        found.append(Kept(release=release, good=mark == "good", current=release.id == current))
    return tuple(found)


def retain(site: Site, release: Release, *, good: bool, previous: str) -> tuple[Release, ...]:
    """Mark the release and remove the kept ones that are too old; returns those that are left."""
    mark = release.id if good else ""
    everything = _read_kept(site.change("sh", "-c", _KEPT, "sh", site.state, mark, limit=LOOK))
    spared = {release.id, previous}
    others = [item.release.id for item in everything if item.good and item.release.id not in spared]
    stay = spared | set(others[:KEEP])
    gone = [item.release for item in everything if item.release.id not in stay]
    if gone:
        folders = [f"{site.state}/releases/{release.id}" for release in gone]
        demand(site.change("rm", "-rf", "--", *folders, limit=LOOK), "could not remove old releases")
    return tuple(item.release for item in everything if item.release.id in stay)


def adoptable(site: Site) -> CheckResult:
    """Whether what runs was started from the run directory: a failure could not go back to it otherwise."""
    paths = [f"{site.run_dir}/{name}" for name in site.compose.files]
    script = 'for path in "$@"; do [ -f "$path" ] || echo "$path"; done'
    missing = site.look("sh", "-c", script, "sh", *paths).stdout.split("\n")[:-1]
    return CheckResult(
        name="files of what runs now",
        mark=Mark.FAILED if missing else Mark.PASSED,
        value=f"missing: {', '.join(missing)}" if missing else "in the run directory",
        bound="in the run directory, so that a failure can go back to them",
    )
