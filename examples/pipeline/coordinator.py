"""A coordinator: jobs on the cards of rigs, over SSH; one that fails is tried elsewhere.

The pipeline's own code, as such programs are: it knows nothing of runledger. Around each
attempt it calls ``guard``, which is told of a failure before the next attempt begins.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

TRIES = 4


class Card(NamedTuple):
    """A card by its rig's address and its index there."""

    host: str
    index: int
    script_path: str


class Failed(Exception):
    """An attempt that failed: what the coordinator calls it, and what was on stderr."""

    def __init__(self, kind: str, message: str, stderr: str = "") -> None:
        self.kind, self.message, self.stderr = kind, message, stderr
        super().__init__(f"{kind}: {message}")


Guard = Callable[[str, Card, int, bool], AbstractContextManager[Any]]
"""Around an attempt: the job's name, its card, the attempt's number, whether another may follow."""


def unguarded(job: str, card: Card, attempt: int, will_retry: bool) -> AbstractContextManager[Any]:
    """Nobody is told."""
    return nullcontext()


def cards_of(node_file: str) -> list[Card]:
    """The cards that a node file's text lets jobs use."""
    return [
        Card(node["hostname"], index, node["script_path"])
        for node in json.loads(node_file)["nodes"]
        for index in range(node["gpu_count"])
        if index not in node.get("excluded_gpus", ())
    ]


class Coordinator:
    """Runs jobs on cards; ``ssh_config`` is where hosts, keys and known hosts are."""

    def __init__(
        self,
        cards: Sequence[Card],
        ssh_config: Path,
        guard: Guard = unguarded,
        timeout_s: float = 60,
    ) -> None:
        self.cards = list(cards)
        self._ssh = ["ssh", "-F", str(ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"]
        self._guard, self._timeout_s = guard, timeout_s

    def run(self, name: str, seeds: int, away: float) -> int:
        """A job on each card, a share of the seeds each; returns the survivors of all."""
        share = seeds // len(self.cards)
        with ThreadPoolExecutor(len(self.cards)) as pool:
            found = pool.map(
                lambda at: self._job(f"{name}-{at}", at, share, away), range(len(self.cards))
            )
            return sum(found)

    def _job(self, job: str, first: int, seeds: int, away: float) -> int:
        for attempt in range(1, TRIES + 1):
            card = self._card(first, attempt)
            will_retry = attempt < TRIES
            with self._guard(job, card, attempt, will_retry) as guard:
                try:
                    return self._attempt(card, seeds, away)
                except Failed as error:
                    if guard is not None:
                        guard.fail(error.kind, error.message, stderr=error.stderr)
        raise Failed("EXECUTION_ERROR", f"{job} failed {TRIES} times")

    def _card(self, first: int, attempt: int) -> Card:
        """Another card for each attempt, on another rig where there are two."""
        further = (attempt - 1) * (len(self.cards) // 2 or 1) + (attempt - 1) // 2
        return self.cards[(first + further) % len(self.cards)]

    def _attempt(self, card: Card, seeds: int, away: float) -> int:
        command = [
            "sh",
            f"{card.script_path}/worker.sh",
            str(card.index),
            str(seeds),
            f"{away:.6f}",
        ]
        try:
            done = subprocess.run(
                [*self._ssh, card.host, shlex.join(command)],
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed("TIMEOUT", f"no end after {self._timeout_s:g} s") from None
        if done.returncode == 255:
            raise Failed("SSH_ERROR", f"connection to {card.host} lost or refused", done.stderr)
        if done.returncode != 0:
            raise Failed("EXECUTION_ERROR", f"exit code {done.returncode}", done.stderr)
        try:
            return int(json.loads(done.stdout)["survivors"])
        except (ValueError, KeyError, TypeError):
            raise Failed("INVALID_JSON", "the worker's result", done.stderr) from None
