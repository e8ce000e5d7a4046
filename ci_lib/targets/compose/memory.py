"""What our own folder on the host remembers: the releases to go back to, and where the pin lies."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ci_lib.domain.images import Release
from ci_lib.domain.target import Kept
from ci_lib.targets.compose.pin import MARK, OVERRIDES
from ci_lib.targets.compose.site import Site, demand

# Lines of a word and its value; a layout's lines, and `left`, follow the release they belong to. Nothing is
# current once it was taken down. An override that came with the current release is no stranger: it goes when
# the next one does not have it.
_READ = """
cd "$1" 2>/dev/null || exit 0; pin=$2; shift 2; own=.deploy-actions
current=$(cat "$own/current" 2>/dev/null || true); [ -e "$own/down" ] || printf 'current %s\\n' "$current"
[ ! -e "$own/current.layout" ] || sed 's/^/layout /' "$own/current.layout"
for name in "$@"; do
  [ ! -f "$name" ] || [ -f "$own/releases/$current/files/$name" ] || [ "$(head -n 1 "$name")" = "$pin" ] ||
    printf 'foreign %s\\n' "$name"
done
! grep -qs '^COMPOSE_FILE=' .env || echo 'foreign .env'
[ ! -d "$own/releases" ] || ls -t "$own/releases" | while IFS= read -r id; do
  kept="$own/releases/$id"; [ -s "$kept/release.json" ] || continue
  if [ -e "$kept/good" ]; then printf 'good '; else printf 'unknown '; fi; head -n 1 "$kept/release.json"
  [ ! -e "$kept/left" ] || echo left
  [ ! -e "$kept/layout" ] || sed 's/^/layout /' "$kept/layout"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """``kept`` are the releases, the one that was switched to last first.

    ``layout`` names the Compose files and the pin that lie in the run directory, a line each, ``layouts`` the
    same for each kept release by its id. ``foreign`` is what keeps Compose from loading the pin by itself:
    override files that are not ours, and a ``.env`` that names files.
    """

    kept: tuple[Kept, ...] = ()
    layout: str = ""
    layouts: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()


class Memory:
    """Reads it once, and again after ``changed``: only who holds the lock changes it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: Remembered | None = None

    def read(self) -> Remembered:
        """What is remembered now."""
        if self._known is None:
            ran = self._site.look("sh", "-c", _READ, "sh", self._site.run_dir, MARK, *OVERRIDES)
            text = demand(ran, "could not list the kept releases").stdout
            self._known = _remembered(line.partition(" ")[::2] for line in text.splitlines())
        return self._known

    def changed(self) -> None:
        """Forget what was read, since a step has changed it."""
        self._known = None


def _remembered(lines: Iterable[tuple[str, str]]) -> Remembered:
    current, foreign = "", []
    kept: list[Kept] = []
    layouts: dict[str, str] = {}
    for word, value in lines:
        if word == "current":
            current = value
        elif word == "foreign":
            foreign.append(value)
        elif word == "layout":
            owner = kept[-1].release.id if kept else ""
            layouts[owner] = layouts.get(owner, "") + f"{value}\n"
        elif word == "left":
            kept[-1] = replace(kept[-1], left=True)
        else:
            release = Release.from_json(json.loads(value))
            kept.append(Kept(release=release, good=word == "good", current=release.id == current))
    layout = layouts.pop("", "")
    return Remembered(kept=tuple(kept), layout=layout, layouts=layouts, foreign=tuple(foreign))
