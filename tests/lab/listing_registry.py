"""A registry over HTTP that lists by itself what refers to an image, which Debian's does not.

It is the one in memory of `tests/fake_registry.py`: what real programs make of such a list can be seen, and
not what other registries make of a manifest.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.fake_registry import FakeRegistry, sha
from tests.lab.components import HOST


class ListingRegistry:
    """Answers on a port of its own for the one repository `name`; `held` is what it has."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        address = f"{HOST}:{self._server.server_port}"
        self.name = f"{address}/shop/api"
        self.held = FakeRegistry(base=f"http://{address}/v2/shop/api", listing=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                url = f"http://{HOST}:{registry._server.server_port}{self.path}"
                status, headers, sent = 200, {}, b"{}"
                if self.path != "/v2/":
                    given = {"Content-Type": self.headers.get("Content-Type", "")}
                    method = "GET" if self.command == "HEAD" else self.command
                    answer = registry.held.request(method, url, headers=given, body=body, timeout=5)
                    status, headers, sent = answer.status, dict(answer.headers), answer.body
                if "/manifests/" in self.path:
                    headers["docker-content-digest"] = sha(sent)
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(sent))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(sent)

            def log_message(self, *_: object) -> None: ...

        for method in ("GET", "HEAD", "POST", "PUT"):
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler
