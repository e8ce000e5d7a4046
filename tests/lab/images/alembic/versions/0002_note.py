"""a note for each order"""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN note text")


def downgrade():
    op.execute("ALTER TABLE orders DROP COLUMN note")
