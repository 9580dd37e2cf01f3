"""Views that tell a card once, and that take missing output for no cause.

A job may name its node by the address: ``v_gpu_health`` shows it under the name
that the probes of that address use. ``v_failures`` reads causes as the rules do.
"""

from __future__ import annotations

from alembic import op

from migrations.causes import cause_beside_output
from migrations.dialects import Postgres, Sqlite, Words
from migrations.versions.r0002_views import Naming, failures, gpu_health

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Replace two views; their columns stay."""
    postgres = op.get_bind().dialect.name == "postgresql"
    words: Words = Postgres() if postgres else Sqlite()
    for name, body in views(words).items():
        if postgres:
            op.execute(f"CREATE OR REPLACE VIEW {name} AS {body}")
        else:
            op.execute(f"DROP VIEW {name}")
            op.execute(f"CREATE VIEW {name} AS {body}")


def views(words: Words) -> dict[str, str]:
    """The statements behind the views, by name."""
    return {
        "v_gpu_health": gpu_health(words, _by_name(words)),
        "v_failures": failures(words, cause_beside_output),
    }


def _by_name(w: Words) -> Naming:
    """Nodes by name where probes of one node, and no more, went to the address."""
    node, address = w.text(w.doc, "node"), w.text(w.doc, "address")
    ctes = f"""asked AS (
  SELECT DISTINCT {node} AS node, {address} AS address
  FROM events e {w.payload} WHERE e.type = 'ssh_probe'
), names AS (
  SELECT a.address, min(a.node) AS node FROM asked a
  WHERE a.address IS NOT NULL AND a.address NOT IN (SELECT node FROM asked)
  GROUP BY a.address HAVING count(*) = 1
), """
    called = "coalesce(n.node, v.node)"
    return Naming(
        f"CAST({called} AS TEXT) AS node", called, ctes, " LEFT JOIN names n ON n.address = v.node"
    )
