import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from orders.server import Server
from orders.store import Store
from orders.worker import turn


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), store, "sha-1") as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: Server, path: str, order: object = None) -> tuple[int, Any]:
    data = None if order is None else json.dumps(order).encode()
    url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        with urllib.request.urlopen(url, data, timeout=5) as answer:
            body = answer.read().decode()
            plain = answer.headers["Content-Type"].startswith("text/plain")
            return answer.status, body if plain else json.loads(body)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_an_order_is_remembered_and_packed(server: Server, store: Store) -> None:
    assert ask(server, "/orders", {"item": "tea", "quantity": 2}) == (201, {"id": 1})
    order = {"id": 1, "item": "tea", "quantity": 2}
    assert ask(server, "/orders") == (200, [order | {"state": "new"}])
    assert turn(store) == "packed 1 orders"
    assert turn(store) == ""
    assert ask(server, "/orders") == (200, [order | {"state": "packed"}])
    assert ask(server, "/metrics") == (200, "orders_total 1\n")


@pytest.mark.parametrize(
    "order",
    [
        [],
        {},
        {"item": "", "quantity": 1},
        {"item": "tea", "quantity": 0},
        {"item": "tea", "quantity": True},
    ],
)
def test_a_wrong_order_is_refused(server: Server, order: object) -> None:
    status, answer = ask(server, "/orders", order)
    assert (status, list(answer)) == (400, ["error"])


def test_it_says_its_version_and_that_it_is_ready(server: Server) -> None:
    assert ask(server, "/version") == (200, {"version": "sha-1"})
    assert ask(server, "/ready") == (200, {"status": "ok"})


def test_there_is_nothing_elsewhere(server: Server) -> None:
    assert ask(server, "/other")[0] == 404
    assert ask(server, "/other", {})[0] == 404


def test_it_is_not_ready_before_the_migrations_or_without_a_database() -> None:
    assert "not at ['0002']" in Store(create_engine("sqlite://")).not_ready()
    nowhere = Store(create_engine("sqlite:////dev/null/orders.db"))
    assert nowhere.not_ready() == "the database does not answer: OperationalError"
    assert turn(nowhere) == "the database does not answer: OperationalError"
