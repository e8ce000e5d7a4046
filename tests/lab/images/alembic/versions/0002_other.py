"""a second head beside 0002"""

from alembic import op

revision, down_revision = "0002b", "0001"


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN other text")
