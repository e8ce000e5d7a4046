"""The library's locked dependencies, and an index of packages on this machine that has nothing else.

For jobs in containers, whose pip knows neither this machine's mirror nor its cache. Run as a program, this
fetches the packages, so that tests need no network, and no time for it.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.lab.components import HOST, run
from tests.lab.images import _hash, cache_folder

LOCK: Final = Path(__file__).resolve().parents[2] / "requirements" / "runtime.txt"
_PYTHON: Final = "3.11"  # Debian 12's


def wheels() -> Path:
    """The folder that holds them, for Debian's Python; fetched once, and kept in the cache folder."""
    folder = cache_folder() / f"wheels-{_hash(LOCK, extra=_PYTHON)[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            fresh = Path(temporary, "wheels")
            # The lock names every dependency of a dependency too.
            wanted = ("--require-hashes", "--no-deps", "--requirement", LOCK)
            form = ("--only-binary=:all:", "--python-version", _PYTHON)
            pip = (sys.executable, "-m", "pip", "download", "--quiet")
            run(*pip, *form, *wanted, "--dest", fresh, limit=300)
            fresh.replace(folder)
    return folder


class Index:
    """Serves a folder of wheels as PyPI does: they never change, so whoever has one need not ask again.

    `fetched` are the wheels that went out. The one whose name begins with `altered` has a byte too many.
    """

    def __init__(self, folder: Path) -> None:
        self.fetched: list[str] = []
        self.altered: str | None = None
        self._wheels = {path.name: path for path in sorted(folder.glob("*.whl"))}

    @property
    def pip_conf(self) -> str:
        """What a machine's pip.conf says where this is the only index.

        Without TLS, pip keeps what it downloads from hosts alone that it is told to trust.
        """
        place = f"{HOST}:{self._port}"
        return f"[global]\nno-index = true\nfind-links = http://{place}/\ntrusted-host = {place}\n"

    @contextmanager
    def serving(self) -> Iterator["Index"]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        with ThreadingHTTPServer((HOST, 0), Handler) as server:
            server.daemon_threads = True
            self._port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.removeprefix("/")
        if name in self._wheels:
            self.fetched.append(name)
            body, kind, kept = self._wheels[name].read_bytes(), "application/octet-stream", "max-age=31536000"
            if self.altered and name.startswith(self.altered):
                body += b"\0"
        else:
            links = (f'<a href="{name}">{name}</a>' for name in self._wheels)
            body, kind, kept = "\n".join(links).encode(), "text/html", "no-store"
        request.send_response(200)
        for field, value in (("Type", kind), ("Length", str(len(body)))):
            request.send_header(f"Content-{field}", value)
        request.send_header("Cache-Control", kept)
        request.end_headers()
        request.wfile.write(body)


if __name__ == "__main__":
    print(wheels())
