"""Files of a release on the host: staged beside what runs, switched in, kept, and brought back.

Below ``<run_dir>/.deploy-actions/``: ``next/`` is what will be, an overlay of the staged files (listed in
``next.paths``) and links to what only the host has (``.env``); ``before/`` is what the last switch replaced;
``releases/<id>/`` are the releases that can be gone back to; ``current`` names the one whose files lie in the
run directory, ``down`` is there once it was taken down. Nothing of the stack's own is ever deleted, except
files that a release brought and the next one does not have, and files that a failed switch had just added.
"""

import json
from collections.abc import Mapping

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.compose.site import LOOK, Site, demand

# A file is written into, not exchanged: a container that mounts that single file sees the new content.
_PUT = r"""
put() { case $1 in */*) mkdir -p -- "$3/${1%/*}";; esac; cp -p -- "$2/$1" "$3/$1"; }
"""

# $1 run directory, $2 state, $3 id of the new release, $4 id of the old one, $5 its JSON if it is adopted,
# $6 path of the pin, $7 JSON of the new release, $8 its layout, $9 not empty if a person rolls back from the
# old one; the hashes of the new one's settings on standard input. Whoever can write in the run directory, a
# container for one, must not choose by a link which file of the host we write.
_SWITCH = _PUT + r"""
set -eu; umask 077; run=$1; cd "$2"
refuse() { printf '%s\n' "$1" >&2; exit 1; }
[ "$(cat next.for)" = "$3" ] || refuse 'what is staged belongs to another run'
base=$(cd -P -- "$run" && pwd -P)
{ cat next.paths; printf '%s\n' "$6"; } | while IFS= read -r path; do
  [ ! -L "$run/$path" ] || refuse "$path is a link there, and the release brings a file of that name"
  case $path in */*) folder=$run/${path%/*};; *) continue;; esac
  while [ ! -d "$folder" ] && [ ! -L "$folder" ]; do folder=${folder%/*}; done
  case $(cd -P -- "$folder" && pwd -P)/ in "$base"/*) ;; *) refuse "$folder is a link that leads away";; esac
done
rm -rf before before.tmp; mkdir -p before.tmp/files releases; : > before.tmp/absent
{ cat next.paths; printf '%s\n' "$6"; } | LC_ALL=C sort -u > before.tmp/paths
old=$(cat current 2>/dev/null || true); : > before.tmp/gone
if [ -n "$old" ] && [ -d "releases/$old/files" ]; then
  (cd "releases/$old/files" && find . -type f | sed 's,^[.]/,,') | LC_ALL=C sort > before.tmp/old
  LC_ALL=C comm -23 before.tmp/old before.tmp/paths > before.tmp/gone
fi
cat before.tmp/paths before.tmp/gone | while IFS= read -r path; do
  if [ -e "$run/$path" ]; then put "$path" "$run" before.tmp/files
  else printf '%s\n' "$path" >> before.tmp/absent; fi
done
[ ! -e current.layout ] || cp current.layout before.tmp/layout
[ ! -e down ] || [ ! -e current ] || cp current before.tmp/down
printf '%s\n' "$3" > before.tmp/for; mv before.tmp before
if [ -n "$5" ] && [ ! -d "releases/$4" ]; then
  rm -rf new.tmp; mkdir new.tmp; cp -pR before/files new.tmp/files; printf '%s\n' "$5" > new.tmp/release.json
  : > new.tmp/good; mv new.tmp "releases/$4"
fi
[ -z "$9" ] || [ -z "$4" ] || [ ! -d "releases/$4" ] || : > "releases/$4/left"
rm -rf new.tmp; mkdir -p new.tmp/files; printf '%s\n' "$7" > new.tmp/release.json
printf '%s' "$8" > new.tmp/layout; cat > new.tmp/settings.json
while IFS= read -r path; do put "$path" next new.tmp/files; done < before/paths
[ ! -e "releases/$3/good" ] || : > new.tmp/good
rm -rf "releases/$3"; mv new.tmp "releases/$3"
umask 022
while IFS= read -r path; do put "$path" next "$run"; done < before/paths
while IFS= read -r path; do rm -f -- "$run/$path"; done < before/gone
printf '%s' "$8" > current.layout
printf '%s\n' "$3" > current.tmp; mv current.tmp current; touch "releases/$3"; rm -f down
"""

# $1 run directory, $2 state, $3 id of the release that failed, $4 id of the one to bring back; without one
# the files are those of what had been taken down before, if anything was. `before` of another release: the
# switch had not come as far as to touch anything.
_RESTORE = _PUT + r"""
set -eu; umask 022; run=$1; cd "$2"; was=
if [ -d before ] && [ "$(cat before/for)" = "$3" ]; then
  [ ! -e before/down ] || was=$(cat before/down)
  (cd before/files && find . -type f | sed 's,^[.]/,,') |
  while IFS= read -r path; do put "$path" before/files "$run"; done
  while IFS= read -r path; do rm -f -- "$run/$path"; done < before/absent
  if [ -e before/layout ]; then cp before/layout current.layout; else rm -f current.layout; fi
fi
if [ -n "$4" ]; then
  rm -f "releases/$4/left"; printf '%s\n' "$4" > current.tmp; mv current.tmp current; rm -f down
elif [ -n "$was" ]; then : > down; printf '%s\n' "$was" > current.tmp; mv current.tmp current
elif [ ! -e down ]; then rm -f current; fi
"""


def switch(
    site: Site,
    release: Release,
    *,
    pin: str,
    layout: str,
    previous: str,
    adopted: Release | None,
    leaving: bool,
    settings: Mapping[str, str],
) -> None:
    """Keep what is replaced, keep the new release and its layout, copy it into the run directory.

    ``settings`` maps the names of the release's settings to hashes of their values, for a later comparison.
    ``leaving``: a person rolls back from the previous release, which is remembered with it.
    """
    text, new = json.dumps(adopted.as_json()) if adopted else "", json.dumps(release.as_json())
    mark = "left" if leaving else ""
    arguments = (site.run_dir, site.state, release.id, previous, text, pin, new, layout, mark)
    known = json.dumps(dict(settings)).encode() + b"\n"
    ran = site.change("sh", "-c", _SWITCH, "sh", *arguments, stdin=known, limit=LOOK)
    demand(ran, f"could not put the files into {site.run_dir}")


def restore(site: Site, *, failed: str, previous: str) -> None:
    """Put back what the switch to the failed release replaced, and take away what it added."""
    arguments = (site.run_dir, site.state, failed, previous)
    ran = site.change("sh", "-c", _RESTORE, "sh", *arguments, limit=LOOK)
    demand(ran, f"could not put the files of {previous[:12] or 'before'} back")


def leave(site: Site) -> None:
    """Remember that the release whose files lie in the run directory was taken down.

    What the switch to it had replaced is forgotten: no release that fails later goes back to that.
    """
    ran = site.change("sh", "-c", 'set -eu; cd "$1"; : > down; rm -rf before', "sh", site.state, limit=LOOK)
    demand(ran, f"could not write into {site.state}")


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
