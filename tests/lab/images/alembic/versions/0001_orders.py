"""orders"""

from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.execute("CREATE TABLE orders (id integer PRIMARY KEY)")
    op.execute("INSERT INTO orders VALUES (1)")


def downgrade():
    op.execute("DROP TABLE orders")
