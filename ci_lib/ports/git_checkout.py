"""What the checkout around deploy.yml knows about its remote: address, proxies, credentials. Read only."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ci_lib.ports.child import Finished, execute
from ci_lib.ports.git import LOCAL_LIMIT, Settings, reason
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.system import environment

_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_LOOSE = (".sslverify", ".followredirects", ".savecookies")
"""Settings that make HTTPS less safe, or write files."""


class Checkout:
    """The checkout that ``folder`` is in, with the user's own settings of git where it adds none.

    They are read as git reads them, included files too: there actions/checkout leaves the job's token.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def remote(self) -> str:
        """Where ``origin`` is pushed to: records are read where they are written.

        A folder is made absolute. Raises ``PortFault`` without a checkout, and without that remote.
        """
        top = self._git("rev-parse", "--show-toplevel")
        if top.code != 0:
            raise PortFault(f"there is no checkout around {self._folder}: set `remote:` ({reason(top)})")
        asked = self._git("remote", "get-url", "--push", "origin")
        url = asked.stdout.decode(errors="replace").rstrip("\n")
        if asked.code != 0 or not url:
            raise PortFault(f"the checkout has no remote `origin`: set `remote:` ({reason(asked)})")
        if ":" in url or url.startswith("/"):
            return url
        return str(Path(top.stdout.decode(errors="replace").rstrip("\n")) / url)

    def web_settings(self, *, credentials: bool) -> Settings:
        """Proxies and certificates; ``credentials``: also headers and credential helpers."""
        return tuple(self._web(credentials=credentials))

    def ssh_command(self) -> str:
        """The command by which the checkout wants SSH spoken, empty for none."""
        return dict(self._settings).get("core.sshcommand", "")

    def _web(self, *, credentials: bool) -> Iterator[tuple[str, str]]:
        for name, value in self._settings:
            login = name.startswith("credential.") or name.endswith((".extraheader", ".cookiefile"))
            web = name.startswith("http.") and not name.endswith(_LOOSE)
            if (login and credentials) or (web and not login):
                yield name, value

    @cached_property
    def _settings(self) -> Settings:
        done = self._git("config", "--includes", "--null", "--list")
        if done.code != 0:
            raise PortFault(f"git's settings cannot be read: {reason(done)}")
        rows = done.stdout.decode(errors="surrogateescape").split("\0")
        pairs = (row.partition("\n") for row in rows if row)
        return tuple((name, value if equals else "true") for name, equals, value in pairs)

    def _git(self, *words: str) -> Finished:
        env = {name: value for name, value in environment().items() if name not in _PLACES}
        env |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        argv, label = ["git", *words], f"git {words[0]}"
        return execute(argv, timeout=LOCAL_LIMIT, cwd=self._folder, env=env, label=label)
