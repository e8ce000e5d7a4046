"""What the host keeps of the release that serves, beside what lies in the run directory, by SHA-256."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ci_lib.domain.tree import entry
from ci_lib.targets.compose.site import Site, demand

# $1 run directory; paths on standard input, a line each. A link in the run directory is no file of ours, and
# could lead to something that has no end.
_READ = r"""
set -eu; run=$1; own=$run/.deploy-actions
current=$(cat "$own/current" 2>/dev/null || true); kept=$own/releases/$current
[ -n "$current" ] && [ -d "$kept/files" ] || kept=
sums() { tr '\n' '\0' | xargs -0 -r sha256sum --; }
listed() { [ -z "$kept" ] || (cd "$kept/files" && find . -type f | sed 's,^[.]/,,'); }
printf 'settings '
if [ -n "$kept" ] && [ -f "$kept/settings.json" ]; then head -n 1 "$kept/settings.json"; fi
echo; echo kept
[ -z "$kept" ] || (listed | (cd "$kept/files" && sums))
echo executable
[ -z "$kept" ] || (cd "$kept/files" && find . -type f -perm -100 | sed 's,^[.]/,x ,')
echo there
[ -d "$run" ] || exit 0
cd "$run"; { listed; cat; } | LC_ALL=C sort -u | while IFS= read -r path; do
  [ -L "$path" ] || [ ! -f "$path" ] || printf '%s\n' "$path"
done | sums
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHost:
    """Path → SHA-256 of content, once in the folder of the kept release and once in the run directory.

    ``executable`` are the kept files that may be executed. ``settings`` maps names to hashes, None where the
    release was kept by a version that did not note them. ``kept`` is empty where nothing is kept.
    """

    settings: Mapping[str, str] | None
    kept: Mapping[str, str]
    executable: frozenset[str]
    there: Mapping[str, str]

    def entries(self, *, without: str) -> Mapping[str, str]:
        """The kept files but the pin, as ``domain.tree`` spells them."""
        return {
            path: entry(digest, executable=path in self.executable)
            for path, digest in self.kept.items()
            if path != without
        }


def on_host(site: Site, paths: Iterable[str] = ()) -> OnHost:
    """Ask the host, of the kept files and of ``paths``."""
    names = "".join(f"{path}\n" for path in paths).encode()
    ran = site.look("sh", "-c", _READ, "sh", site.run_dir, stdin=names)
    return read(demand(ran, "could not compare the files on the host").stdout)


def read(text: str) -> OnHost:
    """Read the script's answer; the lines of each part follow its word."""
    first, *lines = text.split("\n")
    parts: dict[str, list[str]] = {"kept": [], "executable": [], "there": []}
    part = ""
    for line in filter(None, lines):
        part = line if line in parts else part
        if line != part and part:
            parts[part].append(line)
    return OnHost(
        settings=_settings(first.removeprefix("settings ")),
        kept=dict(_sums(parts["kept"])),
        executable=frozenset(line.removeprefix("x ") for line in parts["executable"]),
        there=dict(_sums(parts["there"])),
    )


def _settings(text: str) -> Mapping[str, str] | None:
    """None for a file that is missing or did not arrive completely."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return {str(name): str(value) for name, value in data.items()} if isinstance(data, dict) else None


def _sums(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines of sha256sum; one that begins with a backslash has a name with escaped backslashes."""
    for line in lines:
        escaped = line.startswith("\\")
        digest, name = line.removeprefix("\\")[:64], line.removeprefix("\\")[66:]
        yield name.replace("\\\\", "\\") if escaped else name, digest
