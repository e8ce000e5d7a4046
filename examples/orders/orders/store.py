"""The orders in the database. Its tables are made by the migrations and by nothing else."""

from dataclasses import asdict, dataclass

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

ORDERS = Table(
    "orders",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("item", String(200), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("state", String(20), nullable=False, server_default="new"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order; `state` is `new` until the worker has packed it."""

    id: int
    item: str
    quantity: int
    state: str

    def as_json(self) -> dict[str, int | str]:
        return asdict(self)


class Store:
    """The orders of one database."""

    def __init__(self, engine: Engine, alembic_ini: str = "alembic.ini") -> None:
        self._engine = engine
        self._alembic_ini = alembic_ini

    def not_ready(self) -> str:
        """Why orders cannot be taken now; empty when they can.

        A schema that is newer than this image is none of its reasons: the release after this one has migrated
        already, and this one serves until that takes over, or again if that fails.
        """
        scripts = ScriptDirectory.from_config(Config(self._alembic_ini))
        wanted = set(scripts.get_heads())
        known = {script.revision for script in scripts.walk_revisions()}
        try:
            with self._engine.connect() as connection:
                found = set(MigrationContext.configure(connection).get_current_heads())
        except SQLAlchemyError as error:
            return f"the database does not answer: {type(error).__name__}"
        if found == wanted or not found <= known:
            return ""
        return f"the database is at {sorted(found)}, not at {sorted(wanted)}"

    def add(self, item: str, quantity: int) -> int:
        """Remember an order and return its id."""
        with self._engine.begin() as connection:
            added = insert(ORDERS).values(item=item, quantity=quantity).returning(ORDERS.c.id)
            return int(connection.execute(added).scalar_one())

    def all(self) -> list[Order]:
        """Every order, the oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(ORDERS).order_by(ORDERS.c.id))
            return [Order(**row) for row in rows.mappings()]

    def count(self) -> int:
        """How many orders there are."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(ORDERS)).scalar_one()

    def pack(self) -> int:
        """Pack what is new; returns how many orders that were."""
        with self._engine.begin() as connection:
            new = update(ORDERS).where(ORDERS.c.state == "new").values(state="packed")
            return int(connection.execute(new).rowcount)
