"""takes its time"""

from alembic import op

revision, down_revision = "0002s", "0001"


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN slow text")
    op.execute("SELECT pg_sleep(60)")
