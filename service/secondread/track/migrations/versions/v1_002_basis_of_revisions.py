"""What a revision depends on, as one digest; empty for those from before.

Nothing here is imported from the program: a migration must not change with it.

Revises: v1_001
"""

import sqlalchemy as sa
from alembic import op

revision = "v1_002"
down_revision = "v1_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("revisions", sa.Column("basis_digest", sa.String(64), nullable=True))
