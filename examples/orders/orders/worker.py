"""Packs new orders every few seconds, beside the server and out of the same image."""

import os
import time

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from orders.store import Store

PAUSE = 5.0
"""Seconds between two looks."""


def turn(store: Store) -> str:
    """Pack what is new; returns a line for the log, empty when there was nothing to do."""
    try:
        packed = store.pack()
    except SQLAlchemyError as error:
        return f"the database does not answer: {type(error).__name__}"
    return f"packed {packed} orders" if packed else ""


def main() -> None:  # pragma: no cover
    store = Store(create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True))
    while True:
        if line := turn(store):
            print(line, flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":  # pragma: no cover
    main()
