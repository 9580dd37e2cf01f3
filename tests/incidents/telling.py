"""Telling an incident: nodes of eight cards, looked at now and then, and what is asked of them."""

from __future__ import annotations

from typing import Any, Self

from rules.fleet import parse_fleet
from rules.ladder import SITS_OUT
from tests.rules.histories import M, Story

CARDS = 8
NODES = ("n1", "n2", "n3", "n4", "n5")
FLEET = parse_fleet(
    "".join(f'[[nodes]]\nname = "{name}"\ngpus = {CARDS}\n' for name in NODES)
    + "".join(f'[steps."{name}"]\nnodes = ["{name}"]\n' for name in NODES)
)


class Told(Story):
    """A story of machines with eight cards each; times are microseconds from one noon."""

    def __init__(self) -> None:
        super().__init__(FLEET)

    def look(
        self,
        at: int,
        node: str = "n1",
        *,
        boot: str = "b1",
        since_boot_s: float | None = None,
        states: dict[int, str] | None = None,
        uids: tuple[str | None, ...] = (),
        **more: Any,
    ) -> Self:
        """A whole look at a node: it answers, its log is read, its cards are ok but for some."""
        shown = [(states or {}).get(card, "ok") for card in range(CARDS)]
        self.ssh(node, at, boot_id=boot, uptime_s=since_boot_s)
        self.probe(node, at, shown, uids, **more)
        self.scan(node, at, boot_id=boot)
        return self

    def fault(
        self,
        at: int = 0,
        card: int | None = 2,
        fault: str = "device_lost",
        node: str = "n1",
        **more: Any,
    ) -> Self:
        super().fault(at, card, fault, node, **more)
        return self

    def error(self, at: int = 0, card: int = 2, node: str = "n1", **more: Any) -> Self:
        super().error(at, card, node, **more)
        return self

    def hung(self, at: int = 0, card: int = 2, node: str = "n1") -> Self:
        super().hung(at, card, node)
        return self

    def looks(self, since: int, until: int, every: int, **more: Any) -> Self:
        """Looks at regular times that all show the same."""
        for at in range(since, until + 1, every):
            self.look(at, **more)
        return self

    def may_use(self, at: int, node: str = "n1", *settings: str) -> bool:
        """Whether a step that needs only this node may start, right after a look."""
        verdict = self.decide("preflight", {"step": node}, at + M, *settings).verdict
        return verdict in ("go", "degraded")

    def card(self, card: int, at: int, node: str = "n1", *settings: str) -> str:
        """The state of a card."""
        gpus = self.decide("exclusions", {}, at, *settings).outcome["gpus"]
        here = [
            gpu
            for gpu in gpus
            if (gpu["node"], gpu.get("index")) == (node, card) and not gpu.get("gone")
        ]
        return str(here[0]["state"]) if here else "ok"

    def is_out(self, card: int, at: int, node: str = "n1") -> bool:
        """Whether a card must not be used, by its record."""
        return self.card(card, at, node) in SITS_OUT
