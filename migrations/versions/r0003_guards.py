"""Guards on PostgreSQL that no session's search path reaches, and checkpoints under a key.

A trigger's function runs with the names of whoever inserts: a temporary table
called ``events`` would have answered for the real one. So each function now
says where it looks. The table of checkpoints gets the id of the key that each
one's digest was made with; what was in it is disposable, and goes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_GUARDS = ("runledger_append_only()", "runledger_next_only()")


def upgrade() -> None:
    """Pin the guards' search path on PostgreSQL; give checkpoints their key."""
    if op.get_bind().dialect.name == "postgresql":
        schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar()
        for guard in _GUARDS:
            # Temporary tables come first unless they are named, and so they are, last.
            op.execute(f"ALTER FUNCTION {guard} SET search_path = {schema}, pg_temp")
    op.execute("DELETE FROM checkpoints")
    op.add_column("checkpoints", sa.Column("key_id", sa.Text(), nullable=False, server_default=""))
