"""Orders get a state. The release before this one may still write rows: the default is the database's."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    state = sa.Column("state", sa.String(20), nullable=False, server_default="new")
    op.add_column("orders", state)


def downgrade() -> None:
    op.drop_column("orders", "state")
