"""Runs the migrations on the database that DATABASE_URL names, each in a transaction of its own.

Alembic says at INFO which revision it is at: that is how a failed release comes to name it.
"""

import logging
import os

from alembic import context
from sqlalchemy import create_engine

logging.basicConfig()
logging.getLogger("alembic").setLevel(logging.INFO)

with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
