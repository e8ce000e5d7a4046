"""Which files make up the stack, and where its pin lies."""

from collections.abc import Collection
from pathlib import Path

from ci_lib.domain.images import Release
from ci_lib.targets.compose.commands import Argv, compose
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.observe import labels
from ci_lib.targets.compose.pin import EXPLICIT, LOADED, OVERRIDES, is_loaded, render
from ci_lib.targets.compose.site import Site


class Layout:
    """The Compose files of one stack, in the checkout and on the host.

    A release's layout (its files and its pin, a line each) belongs to it as its files do: ``follow`` makes
    another release's count, one that was kept or is brought back.
    """

    def __init__(self, site: Site, memory: Memory) -> None:
        self._site = site
        self._memory = memory
        self._followed: Argv = ()

    @property
    def text(self) -> str:
        """The layout as it is remembered on the host."""
        return "".join(f"{name}\n" for name in (*self.files, self.pin))

    def follow(self, text: str) -> None:
        """From now on be that layout; an empty one is the checkout's again."""
        self._followed = tuple(text.split("\n")[:-1])

    def follow_current(self, *, once: bool = False) -> None:
        """Be the layout that lies in the run directory now, if one is remembered.

        ``once``: unless another one is followed already.
        """
        if not (once and self._followed):
            self.follow(self._memory.read().layout)

    @property
    def files(self) -> Argv:
        """The Compose files, with an override that the stack has of its own."""
        if self._followed:
            return self._followed[:-1]
        own = self._site.compose.files
        foreign = (name for name in self._foreign() if name in OVERRIDES)
        return (*own, *foreign) if len(own) == 1 else own

    @property
    def pin(self) -> str:
        """Where the pin lies, relative to the run directory."""
        if self._followed:
            return self._followed[-1]
        return LOADED if is_loaded(self._site.compose.files, self._foreign()) else EXPLICIT

    @property
    def loaded(self) -> bool:
        """Whether plain ``docker compose`` loads the pin by itself."""
        return self.pin == LOADED

    @property
    def command(self) -> Argv:
        """The beginning of every ``docker compose`` command in the run directory."""
        files = (*self.files, self.pin)
        return compose(self._site.environment, self._site.run_dir, self._site.project, files)

    @property
    def current(self) -> Argv:
        """The same for what lies in the run directory, whichever release's layout is followed meanwhile."""
        remembered = tuple(self._memory.read().layout.split("\n")[:-1])
        if not remembered:
            return self.command
        return compose(self._site.environment, self._site.run_dir, self._site.project, remembered)

    def render_pin(self, release: Release, services: tuple[str, ...], defined: Collection[str]) -> bytes:
        """The pin's content, for those services that are ``defined``.

        Where not all services are switched, the others keep the labels they carry.
        """
        others = self._site.settings.managed - set(services) if services else frozenset()
        known = labels(self._site) if others else {}
        carried = {name: own for name, own in known.items() if name in others}
        return render(release, self._site.settings, labels=carried, defined=defined)

    def _foreign(self) -> tuple[str, ...]:
        """What keeps Compose from loading the pin by itself, in the source or on the host only."""
        folder = Path(self._site.settings.folder) / self._site.compose.source
        here = (name for name in OVERRIDES if (folder / name).is_file())
        found = {*self._memory.read().foreign, *here}
        return tuple(name for name in (*OVERRIDES, ".env") if name in found)
