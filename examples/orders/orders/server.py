"""The HTTP interface on port 8000: orders, and what operations wants to know."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import create_engine

from orders.store import Store

MOST_BYTES = 10_000
"""Of a request's body; an order is small."""


class Server(ThreadingHTTPServer):
    """Serves the orders of a store; `version` is what the image was built as."""

    def __init__(self, address: tuple[str, int], store: Store, version: str) -> None:
        super().__init__(address, Handler)
        self.store = store
        self.version = version


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        store = self.server.store
        match self.path:
            case "/ready":
                why = store.not_ready()
                self._answer(503 if why else 200, {"status": why or "ok"})
            case "/version":
                self._answer(200, {"version": self.server.version})
            case "/metrics":
                self._send(200, "text/plain; version=0.0.4", f"orders_total {store.count()}\n")
            case "/orders":
                self._answer(200, [order.as_json() for order in store.all()])
            case _:
                self._answer(404, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        if self.path != "/orders":
            return self._answer(404, {"error": "there is nothing here"})
        try:
            item, quantity = _order(self.rfile.read(self._length()))
        except ValueError as error:
            return self._answer(400, {"error": str(error)})
        self._answer(201, {"id": self.server.store.add(item, quantity)})

    def _length(self) -> int:
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= MOST_BYTES:
            raise ValueError(f"the body must have 1 to {MOST_BYTES} bytes")
        return length

    def _answer(self, status: int, body: object) -> None:
        self._send(status, "application/json", json.dumps(body))

    def _send(self, status: int, kind: str, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _order(body: bytes) -> tuple[str, int]:
    """Item and quantity of a request's body; raises `ValueError` that says what is wrong with it."""
    found = json.loads(body)
    order: dict[str, Any] = found if isinstance(found, dict) else {}
    item, quantity = order.get("item"), order.get("quantity")
    if not isinstance(item, str) or not 0 < len(item) <= 200:
        raise ValueError("item must be a text of 1 to 200 characters")
    if type(quantity) is not int or not 0 < quantity <= 1000:
        raise ValueError("quantity must be a whole number from 1 to 1000")
    return item, quantity


def main() -> None:  # pragma: no cover
    engine = create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)
    Server(("", 8000), Store(engine), os.environ.get("VERSION", "unknown")).serve_forever()


if __name__ == "__main__":  # pragma: no cover
    main()
