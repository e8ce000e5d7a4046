"""half of it works"""

from alembic import op

revision, down_revision = "0002x", "0001"


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN half text")
    op.execute("ALTER TABLE no_such_table ADD COLUMN other text")
