"""What is said of cards: incidents, returns, wishes and operators' words, in sentences."""

from __future__ import annotations

from ledger.text import humanize
from rules.card import Asked, CleanRun, Incident, Override


def asked_shown(asked: Asked) -> dict[str, object]:
    """What a card asks for, in words."""
    words = {"drain_reset": "drain it and reset it", "reboot": "reboot its node"}
    return {
        "asked": f"{asked.kind} at {humanize.moment(asked.time_us)}",
        "do": words.get(asked.action, "reset it or reboot its node"),
    }


def asks_rma(incidents: list[Incident]) -> bool:
    return any(each.rma for each in incidents)


def incidents_said(because: list[Incident]) -> str:
    said: list[str] = []
    for incident in because:
        compared = incident.compared
        what = incident.kind
        if compared is not None:
            others = humanize.number(round(compared.others, 1))
            what = f"{compared.count} x {what}, the other cards {others} on average,"
        crash = ", and the node went down" if incident.crashes else ""
        said.append(f"{what} at {humanize.moment(incident.time_us)}{crash}")
    crashes = sum(bool(incident.crashes) for incident in because)
    what = "a crash" if crashes == 1 else "crashes"
    if crashes and len(said) > 1:
        what = f"{crashes} of them {what}"
    return (
        f"{humanize.counted(len(said), 'incident')}{f', {what}' if crashes else ''}: "
        f"{humanize.listed(said, 3)}"
    )


def together_said(incidents: list[Incident]) -> str:
    if not incidents:
        return ""
    newest = incidents[-1]
    return (
        f"{newest.kind} at {humanize.moment(newest.time_us)}, together with "
        f"{humanize.listed(newest.beside, 4)}"
    )


def reinstated_by(entry: Override | CleanRun | None) -> str:
    if entry is None:
        return ""
    if isinstance(entry, CleanRun):
        return f"clean looks until {humanize.moment(entry.time_us)}, on probation"
    return f"the word of {entry.by}: {entry.reason}"


def operator_says(word: Override | None) -> str:
    """An operator's word in a sentence."""
    if word is None:
        return ""
    until = "" if word.expires_us is None else f" until {humanize.moment(word.expires_us)}"
    verb = {"watch": "watched", "exclude": "excluded", "retire": "retired"}[word.action]
    return f"{verb} by {word.by}{until}: {word.reason}"
