"""How things are as one screen of text: what is wrong first to be seen, all else in few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ledger.text.characters import plain
from ledger.text.humanize import age, counted, listed, to_the_second
from runledger.kinds import SHOWN
from runledger.terminal.output import colour, cut, say, table, width

if TYPE_CHECKING:
    from ledger.payloads import DecisionPayload, Finding
    from runledger.status.overview import NodeStatus, Status
    from runledger.status.storage import Storage

_ROWS = 12
"""Lines of one part: what is more is counted, and ``--json`` has it."""
_WIDEST = 120
_SEVERITIES = {"block": "bad", "unknown": "bad"}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def print_status(status: Status) -> None:
    """All parts; one that is empty says so in its heading, or is left out."""
    _ledger(status.ledger, status.at)
    _part("Nodes", [_node(each) for each in status.nodes], _NODE)
    cards = [
        (each["state"], each["node"], str(each.get("index", "-")), each["pci"], each["reason"])
        for each in status.cards
    ]
    _part("Cards not ok", cards, ("STATE", "NODE", "GPU", "PCI", "WHY"))
    runs = [
        (
            each.run,
            f"{_ago(each.age_s)} ago",
            each.study or "-",
            f"lost {listed(each.nodes_lost)}" if each.nodes_lost else "-",
        )
        for each in status.runs
    ]
    _part("Runs going on", runs, ("RUN", "STARTED", "STUDY", "NODES"))
    _part("Newest decisions", [_decision(each) for each in status.decisions], _DECISION)
    _findings(status.findings)
    spool = status.spool
    if spool.folders:
        text = f"{counted(spool.waiting, 'event')} wait, {spool.refused:,} were refused"
        say(plain(f"Spool: {text}; in {', '.join(spool.folders)}"))


def _ledger(ledger: Storage, at: str) -> None:
    say(colour(plain(f"{ledger.location}"), "strong") + f"  {to_the_second(at)}")
    head = f"{counted(ledger.sequence, 'event')}, head {ledger.sequence}:{ledger.hash[:12]}"
    say(f"{head}, {_size(ledger.size_bytes)}{_growth(ledger)}")
    backup = ledger.backup
    if backup is None:
        say(colour("no backup is known: `runledger backup FILE`", "dim"))
        return
    gone = "" if backup.present else ", whose file is gone"
    behind = counted(backup.behind, "event")
    told = f"last verified backup {_ago(backup.age_s)} ago, {behind} since{gone}"
    say(plain(f"{told}: {backup.file}"))


def _growth(ledger: Storage) -> str:
    if not ledger.bytes_per_day:
        return ""
    text = f", {_size(ledger.bytes_per_day)} a day"
    if ledger.days_until_full is None:
        return text
    days = ledger.days_until_full
    return f"{text}; the disk is full in {'over 10 years' if days > 3650 else f'{days:,.0f} days'}"


def _size(amount: float) -> str:
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= 1024
    raise AssertionError("a size has a unit")


_NODE = ("NODE", "VERDICT", "ANSWERS", "LOOKED AT", "CARDS")


def _node(node: NodeStatus) -> tuple[str, ...]:
    reachable = {True: "yes", False: f"no ({node.error})" if node.error else "no", None: "-"}
    cards = "-" if node.cards is None else str(node.cards)
    return (
        node.node,
        "not configured" if node.verdict is None else _word(node.verdict),
        reachable[node.reachable],
        "never" if node.age_s is None else f"{_ago(node.age_s)} ago",
        cards if node.expected in (None, node.cards) else f"{cards} of {node.expected}",
    )


_DECISION = ("KIND", "VERDICT", "TIME", "DECISION")


def _decision(decision: DecisionPayload) -> tuple[str, ...]:
    about = decision.question.get("step")
    kind = decision.kind if about is None else f"{decision.kind} of step {about}"
    shown = SHOWN[decision.kind].verdicts.get(decision.verdict)
    word = shown.loud if shown else decision.verdict
    return kind, word, to_the_second(decision.as_of.time), decision.decision


def _word(verdict: str) -> str:
    return verdict.replace("_", "-").upper()


def _findings(findings: Sequence[Finding]) -> None:
    if not findings:
        say(colour("Nothing is held against a node or a card.", "good"))
        return
    say(colour(f"Open findings: {len(findings)}", "strong"))
    for finding in findings[:_ROWS]:
        label = colour(f"{finding.severity:<8}", _SEVERITIES.get(finding.severity, "poor"))
        say(f"  {label}{cut(finding.message, (width() or _WIDEST) - 10)}")
    _more(len(findings))


def _part(heading: str, rows: Sequence[Sequence[str]], columns: Iterable[str]) -> None:
    if not rows:
        say(f"{heading}: none")
        return
    say(colour(f"{heading}: {len(rows)}", "strong"))
    table(tuple(columns), rows[:_ROWS])
    _more(len(rows))


def _more(count: int) -> None:
    if count > _ROWS:
        say(colour(f"… and {count - _ROWS} more (--json)", "dim"))


def _ago(seconds: float) -> str:
    return age(max(0.0, seconds))
