"""What is shown of a decision on exclusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ledger.payloads import DecisionPayload
from ledger.text import humanize
from rules.kinds import EXCLUSIONS, Decided
from runledger.kinds.shown import Block, Line, Said, Shown, Table, Verdict

_NO_CARD = "no card is watched or out"


class Expected(Said, kw_only=True):
    """``gpus``: ``node``, ``pci`` and ``state`` of each."""

    gpus: list[dict[str, str]] | None = None


class ShownExclusions(Shown):
    """The cards that are not ok; the verdict is the worst state among them."""

    kind = EXCLUSIONS
    verdicts = {
        "ok": Verdict("OK", "good"),
        "watch": Verdict("WATCH", "poor"),
        "excluded": Verdict("EXCLUDED", "bad"),
        "retire": Verdict("RETIRE", "bad"),
        "down": Verdict("DOWN", "bad"),
    }
    expects = Expected
    cut = ("gpus",)

    def above(self, decision: DecisionPayload) -> Iterable[Block]:
        gpus = decision.outcome.get("gpus", [])
        if not gpus:
            yield Line(_NO_CARD, "good")
            return
        yield Table(
            ("STATE", "NODE", "GPU", "PCI", "SINCE", "WHY"),
            (
                (
                    card["state"],
                    card["node"],
                    "gone" if card.get("gone") else card.get("index", "?"),
                    card["pci"],
                    humanize.to_the_second(card["since"]),
                    card["reason"],
                )
                for card in gpus
            ),
        )

    def effect(self, decided: Decided) -> str:
        gpus = decided.outcome["gpus"]
        return ", ".join(f"{gpu['node']} {gpu['pci']} {gpu['state']}" for gpu in gpus) or _NO_CARD

    def changes(self, before: Decided, after: Decided) -> list[str]:
        old, new = (
            {(gpu["node"], gpu["pci"]): gpu["state"] for gpu in each.outcome["gpus"]}
            for each in (before, after)
        )
        return [
            f"{node} {pci}: {old.get((node, pci), 'ok')} → {new.get((node, pci), 'ok')}"
            for node, pci in sorted({*old, *new})
            if old.get((node, pci)) != new.get((node, pci))
        ]

    def answer(self, decided: Decided) -> str:
        return self.effect(decided)

    def listed(self, outcome: dict[str, Any]) -> list[str]:
        if "gpus" not in outcome:
            return []
        return [f"{gpu['node']} {gpu['pci']}" for gpu in outcome["gpus"]] or ["every card is ok"]

    def result(self, outcome: dict[str, Any]) -> str:
        states = Counter(str(card.get("state")) for card in outcome.get("gpus", ()))
        return ", ".join(f"{amount} {state}" for state, amount in states.items()) or "all cards ok"

    def expected(self, field: str, value: Any) -> Any:
        if field == "gpus":
            return [{key: gpu[key] for key in ("node", "pci", "state")} for gpu in value]
        return super().expected(field, value)
