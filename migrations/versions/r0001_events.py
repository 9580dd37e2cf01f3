"""The events table with its guards, and the table of checkpoints.

The guards are triggers, so that not even another program changes what is
stored: no UPDATE, no DELETE, no TRUNCATE, and an INSERT only at the next
position. The last one also stops REPLACE, which deletes without firing DELETE
triggers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DECIDING = sa.text(
    "type IN ('policy_activated', 'fleet_configured', 'preflight_decided', "
    "'exclusions_decided', 'parameters_decided')"
)
_HAS_RUN = sa.text("runid IS NOT NULL")

_SQLITE_GUARDS = (
    """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events is append-only: UPDATE refused'); END""",
    """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events is append-only: DELETE refused'); END""",
    """CREATE TRIGGER events_next_only BEFORE INSERT ON events
    BEGIN
      SELECT RAISE(ABORT, 'events is append-only: not the next position')
        WHERE NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM events);
      SELECT RAISE(ABORT, 'events is append-only: id exists')
        WHERE EXISTS (SELECT 1 FROM events WHERE id = NEW.id);
    END""",
)

_POSTGRES_GUARDS = (
    """CREATE FUNCTION runledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'events is append-only: % refused', TG_OP;
    END $$""",
    """CREATE FUNCTION runledger_next_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.sequence IS DISTINCT FROM (SELECT coalesce(max(sequence), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'events is append-only: not the next position';
      END IF;
      RETURN NEW;
    END $$""",
    """CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION runledger_append_only()""",
    """CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION runledger_append_only()""",
    """CREATE TRIGGER events_next_only BEFORE INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION runledger_next_only()""",
    # Also for sessions that claim to replay a replica's changes.
    """ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change""",
    """ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_truncate""",
    """ALTER TABLE events ENABLE ALWAYS TRIGGER events_next_only""",
)


def upgrade() -> None:
    """Create both tables and the guards."""
    op.create_table(
        "events",
        sa.Column("sequence", _INTEGER, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("time_us", _INTEGER, nullable=False),
        sa.Column("dataschemaversion", _INTEGER, nullable=False),
        sa.Column("runid", sa.Text()),
        sa.Column("step", sa.Text()),
        sa.Column("correlationid", sa.Text()),
        sa.Column("causationid", sa.Text()),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("recorded_us", _INTEGER, nullable=False),
        sa.Column("prevhash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("events_by_time", "events", ["time_us", "sequence"])
    op.create_index(
        "events_deciding",
        "events",
        ["type", "sequence"],
        sqlite_where=_DECIDING,
        postgresql_where=_DECIDING,
    )
    op.create_index(
        "events_by_run",
        "events",
        ["runid", "sequence"],
        sqlite_where=_HAS_RUN,
        postgresql_where=_HAS_RUN,
    )
    op.create_table(
        "checkpoints",
        sa.Column("fold", sa.Text(), primary_key=True),
        sa.Column("sequence", _INTEGER, primary_key=True, autoincrement=False),
        sa.Column("at_us", _INTEGER, nullable=False),
        sa.Column("newest_us", _INTEGER, nullable=False),
        sa.Column("chain_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
    postgres = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRES_GUARDS if postgres else _SQLITE_GUARDS:
        op.execute(statement)
