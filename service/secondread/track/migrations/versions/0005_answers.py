"""Where the detector's answer about each image is kept.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("image_results", sa.Column("answer", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("image_results", "answer")
