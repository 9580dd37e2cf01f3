"""Looking at the fleet: what is asked of each node, and how answers become stored events.

`Prober` joins the collectors to a ledger. It asks all nodes at once, stores
what each says as it comes, and asks for nothing that fresh evidence tells
already. It decides nothing, and a failure of its own is stored as what it is:
something that did not come back, which no rule takes for health.
"""

from __future__ import annotations

from runledger.probing.outcome import NodeLook, Probed
from runledger.probing.service import Prober
from runledger.probing.witness_check import WitnessSaid, ask_witnesses

__all__ = ["NodeLook", "Probed", "Prober", "WitnessSaid", "ask_witnesses"]
