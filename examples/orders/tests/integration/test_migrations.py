"""The migrations on a real PostgreSQL, whose address lint-test hands over as DB_HOST and DB_PORT_5432."""

import os

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from orders.store import Store

ALEMBIC = Config("alembic.ini")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    host, port = os.environ["DB_HOST"], os.environ["DB_PORT_5432"]
    address = f"postgresql+psycopg://postgres:only-for-tests@{host}:{port}/orders"  # pragma: allowlist secret
    monkeypatch.setenv("DATABASE_URL", address)
    return address


def test_the_migrations_lead_to_what_the_store_needs_and_back(url: str) -> None:
    engine = create_engine(url)
    store = Store(engine)
    assert store.not_ready() == "the database is at [], not at ['0002']"

    command.upgrade(ALEMBIC, "0001")
    assert store.not_ready() == "the database is at ['0001'], not at ['0002']"
    with engine.begin() as connection:  # as the release before would
        connection.execute(text("INSERT INTO orders (item, quantity) VALUES ('tea', 2)"))

    command.upgrade(ALEMBIC, "head")
    assert store.not_ready() == ""
    assert [order.state for order in store.all()] == ["new"]
    assert (store.add("milk", 1), store.pack()) == (2, 2)

    with engine.begin() as connection:  # as the release after this one has left it
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    assert store.not_ready() == ""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))

    command.downgrade(ALEMBIC, "base")
    assert store.not_ready() != ""
