"""The tour: one night recorded, judged, replayed and asked what-if, on real ledgers.

Everything shown is computed as it is shown, by the same code that the commands
run; nothing needs a GPU or a rig.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ledger import AlreadyThere, open_ledger, verify
from ledger.backup import backup
from ledger.export import export_lines
from ledger.payloads import DecisionPayload
from ledger.restore import restore
from ledger.text.humanize import counted
from rules.fleet import parse_fleet
from rules.policy import default_policy
from runledger.api.facade import Runledger
from runledger.config.settings import Settings
from runledger.demo import story
from runledger.replaying.whatif import Change, what_if
from runledger.terminal.decision_text import print_decision
from runledger.terminal.output import colour, print_json, say
from runledger.terminal.whatif_text import show_whatif


class _Tour:
    """Tells the story, and keeps what came out for ``--json``."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self.folder = folder
        self.quiet = quiet
        self.results: dict[str, Any] = {}

    def open(self, name: str) -> Runledger:
        """A ledger of the demo's fleet; its clock stands still, so that every tour is the same."""
        path = self.folder / name
        settings = Settings(
            ledger=str(path), fleet=parse_fleet(story.FLEET_TOML), policy=default_policy()
        )

        def clock() -> int:
            return story.at("25 08:00:00")

        return Runledger(open_ledger(path, clock=clock), settings, clock=clock)

    def tell(self, text: str) -> None:
        """A paragraph of the tour."""
        if not self.quiet:
            say()
            say(colour(text, "strong"))

    def type(self, command: str) -> None:
        """The command that does the same."""
        if not self.quiet:
            say(colour(f"$ runledger {command}", "dim"))

    def show(self, key: str, decision: DecisionPayload) -> None:
        """A decision, as its command prints it."""
        self.results[key] = {"verdict": decision.verdict, "outcome": decision.outcome}
        if not self.quiet:
            print_decision(decision, "the demo's ledger")


def tour(keep: str | None, *, as_json: bool) -> int:
    """Run the tour; ``keep`` leaves its ledger in a file. Returns the exit code."""
    if keep is not None and Path(keep).exists():
        raise AlreadyThere(
            f"{keep} is there already", remedy="name a new file for the demo's ledger"
        )
    with tempfile.TemporaryDirectory(prefix="runledger-demo-") as folder:
        guide = _Tour(Path(folder), quiet=as_json)
        night = _night(guide)
        _believed(guide)
        _history(guide, night)
        if keep is not None:
            backup(night.ledger, Path(keep))
        night.close()
    if as_json:
        print_json(guide.results)
    else:
        say()
        where = keep or "a temporary folder, gone now (--keep FILE leaves it)"
        say(f"The ledger was in {where}.")
    return 0


def _night(guide: _Tour) -> Runledger:
    night = guide.open("night.db")
    teller = story.Teller("night")
    guide.tell("19 January: 100 trials of 100,000 seeds found 98,172 survivors. What next?")
    night.record(story.before(teller))
    guide.type("next --study window_optimizer")
    guide.show("after_98172", night.next_parameters(study=story.STUDY, at=story.at("21 09:00:00")))

    guide.tell("24 January, 16:55: someone asks for 50 trials of 10,000,000 seeds instead.")
    night.record(teller.look("24 16:55:00"))
    guide.type("preflight --step 1 --trials 50 --seed-count 10000000")
    guide.show(
        "time_budget",
        night.preflight("1", trials=50, seed_count=10_000_000, at=story.at("24 16:56:00")),
    )

    guide.tell(
        "Nobody asked, and the run began. At 17:20 the controller of GPU 10 stops answering:"
    )
    night.record([*story.run_begins(teller), story.smu_fails(teller, "24 17:20:00")])
    guide.type("exclusions")
    guide.show("first_incident", night.exclusions(at=story.at("24 17:21:00")))

    guide.tell("18:25: again. Two incidents within 30 days take the card out.")
    night.record(story.smu_fails(teller, "24 18:25:00"))
    guide.show("second_incident", night.exclusions(at=story.at("24 18:26:00")))

    guide.tell("18:31: rig-6600 is gone. Nobody looked; WATCHER would have, before the next step:")
    night.record(story.rig_lost(teller))
    guide.type("preflight --step 1")
    guide.show("rig_lost", night.preflight("1", run="R-20260124", at=story.at("24 18:32:00")))

    guide.tell("18:57: the run is killed at its timeout. No file, so nothing was counted:")
    night.record(story.as_it_was(teller))
    guide.type("next --study window_optimizer")
    guide.show("as_it_was", night.next_parameters(study=story.STUDY, at=story.at("24 19:00:00")))
    return night


def _believed(guide: _Tour) -> None:
    guide.tell("Told as it was believed that night, the run had found 0 survivors in 34 trials:")
    teller = story.Teller("believed")
    with guide.open("believed.db") as believed:
        believed.record([*story.before(teller), *story.run_begins(teller)])
        believed.record([*story.rig_lost(teller), *story.as_believed(teller)])
        guide.type("next --study window_optimizer")
        guide.show(
            "as_believed",
            believed.next_parameters(study=story.STUDY, at=story.at("24 19:00:00")),
        )


def _history(guide: _Tour, night: Runledger) -> None:
    guide.tell("Years later, on any machine: does the judgement follow from the record?")
    guide.type("export > night.ndjson; runledger --ledger copy.db restore night.ndjson")
    with guide.open("copy.db") as copy:
        restore(copy.ledger, export_lines(night.ledger))
        same_head = copy.ledger.head() == night.ledger.head()
        guide.type("replay")
        replayed = copy.replay()
        whole = verify(copy.ledger, expect=night.ledger.head()).ok
    guide.results["replay"] = {
        "decisions": replayed.decisions,
        "identical": replayed.identical,
        "same_head": same_head,
        "verified": whole,
    }
    if not guide.quiet:
        say(
            f"{replayed.identical} of {counted(replayed.decisions, 'decision')} identical "
            f"to the byte; the chain {'is whole' if whole else 'IS BROKEN'}, "
            f"the head {'is the same' if same_head else 'DIFFERS'}"
        )

    _ask(
        guide,
        night,
        "one_incident",
        "What if one incident were enough to take a card out?",
        "gpu.exclude_after_incidents=1",
    )
    _ask(
        guide,
        night,
        "no_time_budget",
        "What if the time budget were not looked at?",
        'rules.disabled=["over_time_budget"]',
    )


def _ask(guide: _Tour, night: Runledger, key: str, question: str, setting: str) -> None:
    guide.tell(question)
    guide.type(f"whatif --set '{setting}'")
    change = Change(settings=(setting,))
    result = what_if(night.ledger, night.catalog, night.decisions(), change)
    guide.results[key] = {"decisions": result.decisions, "changed": len(result.changed)}
    if not guide.quiet:
        show_whatif(result)
