"""The state of a machine's cards at the moment a job failed, here or on another node.

Cheap and harmless: one short shell script, under a hard limit, that asks no SMU
for anything, since the card may have failed just now. A card in state D cannot
hold up the job either: the script is left alone after the limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from collectors.probe.cards import read_sysfs
from collectors.probe.report import Card
from collectors.probe.tools import read_tools, sections
from collectors.script import compose, new_nonce, parse_frames
from collectors.vendors import tool_lines, vendor_lines
from ledger.identifiers import normalize_pci

if TYPE_CHECKING:
    from collectors.reach import NodeSpec

LIMIT_S = 5.0
"""By then a failure is recorded, with the state or without."""

_BANNER = "runledger-gpu-state/1"
_PARTS = (
    ("collectors.script", "bounded.sh"),
    ("collectors.script", "vendors.sh"),
    ("collectors.script", "cards.sh"),
    ("collectors.jobs", "gpu_state.sh"),
)
_SHELL = ("/bin/sh", "-s")
_MOST_CARDS = 64


def read_gpu_state(pci: str | None = None, *, limit_s: float = LIMIT_S) -> dict[str, Any] | None:
    """The card at ``pci``, or all cards, of the machine that this process runs on.

    ``{"host", "cards": […], "smu_reads": 0}``, each card with ``pci``, ``state``
    and what else is known of it; with ``pci``, ``present`` says whether it was
    found. ``error`` says what could not be read. None on a machine without cards.
    """
    nonce = new_nonce()
    output = _run(_script(pci, nonce), limit_s)
    problem = None if output is not None else f"not read within {limit_s:g} s"
    return _state(socket.gethostname(), pci, output or b"", nonce, problem)


def fetch_gpu_state(
    node: NodeSpec, pci: str | None = None, *, limit_s: float = LIMIT_S
) -> dict[str, Any] | None:
    """As `read_gpu_state`, of another machine, over SSH; ``host`` is the node's name."""
    from collectors.reach import Limits, run_script_blocking

    nonce = new_nonce()
    limits = Limits(connect_s=limit_s, command_s=limit_s, total_s=limit_s)
    (result,) = run_script_blocking([node], lambda _: _script(pci, nonce), limits=limits)
    problem = None if result.failure is None else f"{result.failure.error}: {result.failure.detail}"
    return _state(node.name, pci, result.stdout, nonce, problem)


def _script(pci: str | None, nonce: str) -> bytes:
    wanted = None if pci is None else normalize_pci(pci)
    lines = [*vendor_lines(), *tool_lines(), *([("wanted", wanted)] if wanted else [])]
    return compose(_PARTS, "gpu_state", nonce, lines)


def _state(
    host: str, pci: str | None, output: bytes, nonce: str, problem: str | None
) -> dict[str, Any] | None:
    state: dict[str, Any] = {"host": host, "smu_reads": 0}
    wanted = None if pci is None else normalize_pci(pci)
    if wanted is not None:
        state["pci"] = wanted
    if problem is not None:
        return state | {"error": problem}
    cards, errors = _cards(output, nonce)
    if wanted is not None:
        cards = [card for card in cards if card["pci"] == wanted]
        state["present"] = bool(cards)
    elif not cards and not errors:
        return None
    state["cards"] = cards[:_MOST_CARDS]
    if errors:
        state["error"] = "; ".join(errors)
    return state


def _cards(output: bytes, nonce: str) -> tuple[list[dict[str, Any]], list[str]]:
    frames = parse_frames(output, _BANNER, nonce)
    sysfs = read_sysfs(frames, 1.0)
    errors = [f"{hung.command} did not come back" for hung in sysfs.hung]
    cards = {card.pci: _told(card) for card in sysfs.cards}
    for _, _, command, section in sections(frames):
        if section.timed_out:
            errors.append(f"{command} did not come back")
    for reading in (card for asked in read_tools(frames) for card in asked.reading.cards):
        if reading.pci is not None:
            told = {key: value for key, value in asdict(reading).items() if value not in (None, "")}
            cards[reading.pci] = cards.get(reading.pci, {}) | told
    return [cards[pci] for pci in sorted(cards)], errors


def _told(card: Card) -> dict[str, Any]:
    """What is known; that a card's SMU was not asked goes without saying here."""
    told = {key: value for key, value in asdict(card).items() if value not in (None, "")}
    if card.state == "unknown":
        told.pop("detail", None)
    return told


def _run(script: bytes, limit_s: float) -> bytes | None:
    """The script's output; None where it did not end in time, or could not begin."""
    try:
        shell = subprocess.Popen(
            _SHELL,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        return shell.communicate(script, timeout=limit_s)[0]
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Whatever is left of it; a child in state D is not waited for.
        with contextlib.suppress(OSError):
            os.killpg(shell.pid, signal.SIGKILL)
        for pipe in (shell.stdin, shell.stdout):
            if pipe is not None:
                pipe.close()
        shell.poll()
