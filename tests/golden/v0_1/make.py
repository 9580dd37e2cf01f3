"""How the golden ledger of version 0.1 was made: run once, by 0.1 itself, and never again.

    git worktree add /tmp/v0.1 33e0860   # version 0.1
    PYTHONPATH=/tmp/v0.1 python tests/golden/v0_1/make.py FOLDER

writes ``ledger.sqlite3`` and ``export.ndjson`` into FOLDER. Ids and hashes are new in
each run: what is kept here is what one run gave. A later release gets a folder
and a script of its own, as this one shows what could be said in 0.1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from runledger.facade import Runledger
from runledger.settings import Settings

from ledger import export_lines, new_event, open_ledger, parse_ndjson
from ledger.backup import backup
from ledger.canonical import digest
from ledger.event import to_wire
from ledger.identifiers import new_event_id
from ledger.payloads import (
    CleanupAction,
    CleanupCompleted,
    CommandHung,
    ExclusionsDecided,
    GpuFault,
    InputFile,
    InputsChecked,
    JobFinished,
    KernelLogScanned,
    Payload,
    PolicyActivated,
    PolicyRef,
    ProcessKilled,
    RamdiskChecked,
    RamdiskFile,
    RemedyCompleted,
    RunFinished,
    RunStarted,
    SmuError,
    StepFinished,
    StepStarted,
    StudyDefined,
    SurvivorsCounted,
    TrialCompleted,
    TrialStarted,
)
from rules.fleet import parse_fleet
from rules.policy import default_policy, parse_policy
from runledger import history, story

FLEET = (
    story.FLEET_TOML
    + """\

[steps."3"]
timeout_s = 3600
nodes = ["rig-6600b", "zeus"]
ramdisk = ["/dev/shm/train.json"]
inputs = ["survivors.json"]
"""
)

# No formatter writes a policy like this: its digest is of these very bytes.
HAND_WRITTEN = """\
# What the night shift agreed on, 27 January.
gpu = { exclude_after_incidents = 1, window_s = 1_209_600 }   # two weeks
[rules]
disabled   = ['over_time_budget']

[proposal]
max_change = 2.50
frozen = [
  "seed_count",   # until the timeout is sorted out
]
"""
NIGHT_SHIFT = """\
name = "cautious"
[gpu]
exclude_after_incidents = 1
reinstate_clean_probes = 2
[tuning]
rule = "second_opinion"
zero_survivor_trials = 200
"""

KERNEL_LOG = """\
[   12.345678] amdgpu 0000:0d:00.0: amdgpu: SMU is initialized successfully!
[ 1234.567890] amdgpu 0000:0f:00.0: amdgpu: SMU: I'm not done with your previous command!
[ 2234.567890] amdgpu 0000:12:00.0: amdgpu: ring gfx_0.0.0 timeout, signaled seq=5, emitted seq=7
[ 2235.000001] amdgpu 0000:12:00.0: amdgpu: GPU reset begin!
[ 3000.000000] Out of memory: Killed process 4242 (python3) total-vm:9000000kB, anon-rss:8000000kB
[ 3600.000000] NVRM: Xid (PCI:0000:21:00): 79, pid=1234, GPU has fallen off the bus.
"""


class _Clock:
    """A clock that is set by hand and steps a second with each look."""

    def __init__(self) -> None:
        self.now_us = story.at("25 08:00:00")

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


def main(folder: Path) -> None:
    """Make the ledger and its export in a folder."""
    history.CHECKPOINT_EVERY = 40  # so that a short ledger has some
    working = folder / "making.db"
    clock = _Clock()
    fleet = parse_fleet(FLEET)
    default = Settings(ledger=str(working), fleet=fleet, policy=default_policy())
    night = Runledger(open_ledger(working, clock=clock), default, clock=clock)
    _night(night)
    _odd(night)
    _kernel_logs(night, folder)
    _jobs(night)
    _searches(night)
    _decide(night, "26 12:00:00")
    cautious = parse_policy(NIGHT_SHIFT, name="cautious")
    _decide(Runledger(night.ledger, _with(default, cautious), clock=clock), "26 13:00:00")
    _by_hand(Runledger(night.ledger, _with(default, None), clock=clock))
    night.record(story.Teller("late").look("24 12:00:00"))  # comes days after its time
    _decide(night, "28 12:00:00")
    backup(night.ledger, folder / "ledger.sqlite3")
    (folder / "export.ndjson").write_bytes(b"".join(export_lines(night.ledger)))
    result = night.replay()
    print(night.ledger.head(), result.decisions, result.identical, result.drifted)
    night.close()
    for suffix in ("", "-wal", "-shm", "-lock"):
        with suppress(FileNotFoundError):
            Path(f"{working}{suffix}").unlink()


def _with(settings: Settings, policy: object) -> Settings:
    return msgspec.structs.replace(settings, policy=policy)


def _night(night: Runledger) -> None:
    """The demo's story, and its decisions."""
    teller = story.Teller("night")
    night.record(story.before(teller))
    night.next_parameters(study=story.STUDY, at=story.at("21 09:00:00"))
    night.record(teller.look("24 16:55:00"))
    night.preflight("1", trials=50, seed_count=10_000_000, at=story.at("24 16:56:00"))
    night.record([*story.run_begins(teller), story.smu_fails(teller, "24 17:20:00")])
    night.exclusions(at=story.at("24 17:21:00"))
    night.record(story.smu_fails(teller, "24 18:25:00"))
    night.exclusions(at=story.at("24 18:26:00"))
    night.record(story.rig_lost(teller))
    night.preflight("1", run="R-20260124", at=story.at("24 18:32:00"))
    night.record(story.as_it_was(teller))
    night.next_parameters(study=story.STUDY, at=story.at("24 19:00:00"))
    night.override("gpu/rig-6600/0000:25:00.0", "retire", reason="sold", by="op")
    night.override("gpu/rig-6600b/0000:03:00.0", "exclude", reason="loud", by="op")
    night.override("gpu/rig-6600b/0000:03:00.0", "reinstate", reason="bearing oiled", by="op")
    night.override(
        "node/rig-6600b", "waive", reason="slow disk", by="op", expires="2026-01-30T00:00:00Z"
    )


def _odd(night: Runledger) -> None:
    """Every other type, with texts and numbers that a canonical form can get wrong."""
    params = {"": None, "a": [1, 2.5, {"b": True}], "\U0001f600": -0.0, "é": 1e300, "z": 1e17}
    odd: list[Payload] = [
        StudyDefined(
            study="w", space={"x": {"type": "float", "low": -0.0, "high": 5e-324}},
            directions=("maximize", "minimize"), fingerprint="f" * 64,
        ),
        TrialStarted(study="w", number=0, params={"x": 1e-7}),
        TrialCompleted(study="w", number=0, state="COMPLETE", params=params, values=(1e17, "inf")),
        TrialCompleted(study="w", number=1, state="FAIL", params={}, values=("nan", -0.0)),
        TrialCompleted(study="w", number=2, state="PRUNED", params={"x": 0.1 + 0.2}),
        SmuError(
            node="zeus", pci="0000:21:00.0", signature="odd",
            raw="\x1b[31m\t\r\n\x7f\u2028\ufeff𝄞'\"\\;--%s?",
        ),
        GpuFault(node="zeus", fault="other", raw="ü"),
        ProcessKilled(node="zeus", raw="Killed process 1 (x)", process="x", pid=1),
        CommandHung(node="rig-6600b", pci="0000:06:00.0", command="rocm-smi", timeout_s=10),
        CleanupCompleted(
            node="rig-6600b", actions=(CleanupAction(name="processes", ok=True),),
            warnings=("one left",), orphaned_vram_mib={"0000:03:00.0": 12.5},
        ),
        RemedyCompleted(node="zeus", check="ramdisk", command="make-ramdisk", exit_code=0),
        RamdiskChecked(
            node="rig-6600b", free_mib=1e3,
            files=(RamdiskFile(path="/dev/shm/train.json", present=True, bytes=10),),
        ),
        InputsChecked(files=(InputFile(path="survivors.json", present=False),)),
        KernelLogScanned(node="zeus", lines=0, matches=0, readable=False),
        RunStarted(
            study="w", scope={"data": "jan"}, trials=40, seed_count=100_000,
            requested={"k": 9007199254740991}, effective={"k": 1e21},
        ),
        StepStarted(), StepFinished(outcome="failed", reason="no file", duration_s=0.25),
        SurvivorsCounted(
            trials=40, completed_trials=40, seed_count=100_000, survivors=0, seed_start=-5,
            unique_survivors=0, seeds_covered=4_000_000, jobs_expected=40, jobs_ok=39,
        ),
        RunFinished(outcome="succeeded", duration_s=60.5),
        JobFinished(job="step3-0001", attempt=2, node="zeus", pci="0000:01:00.0"),
    ]  # fmt: skip
    attributes = {"runid": "R-odd", "step": "3", "correlationid": 'c"1', "causationid": "night-001"}
    night.record(
        new_event(payload, time_us=story.at("25 10:00:00") + n, source="a'b\\c", **attributes)
        for n, payload in enumerate(odd)
    )
    night.record(new_event(RunFinished(outcome="failed"), time_us=-1, source="s", runid="R-1969"))


def _kernel_logs(night: Runledger, folder: Path) -> None:
    log = folder / "kern.log"
    log.write_text(KERNEL_LOG)
    night.import_kernel_log(
        log, node="rig-6600b", boot_id="boot-of-rig-6600b", boot_time="2026-01-24T17:50:00Z"
    )
    log.unlink()
    # What an older parser might have said of its line: `reclassify` says it better.
    line = KERNEL_LOG.splitlines()[1]
    wrong = SmuError(node="rig-6600b", pci="0000:0f:00.0", signature="other", raw=line)
    harmless = GpuFault(node="rig-6600b", fault="other", raw=KERNEL_LOG.splitlines()[0])
    for payload in (wrong, harmless):
        at = story.at("25 12:00:00")
        night.record(new_event(payload, time_us=at, source="collector/kernel-log@rig-6600b"))
    night.reclassify()


def _jobs(night: Runledger) -> None:
    """Jobs that failed, and one that did not."""
    errors = [ValueError("bad seed 17"), KeyError("train"), MemoryError(), TimeoutError("ssh")]
    for number, error in enumerate(errors):
        name, node = f"step3-{number:04d}", ("zeus", "rig-6600b")[number % 2]
        with suppress(type(error)), night.job(name, node=node, pci="0000:21:00.0", run="R-odd"):
            raise error
    with night.job("step3-0009", node="zeus", step="3"):
        pass
    night.recorder.flush(30)


def _searches(night: Runledger) -> None:
    """Runs that found nothing, little and enough, and a fleet on which all is well at last."""
    for day, (study, survivors) in enumerate([("dry", 0), ("thin", 900), ("rich", 98_172)]):
        counted = SurvivorsCounted(
            study=study, trials=50, completed_trials=40, seed_count=100_000, survivors=survivors
        )
        started = RunStarted(study=study, trials=50, seed_count=100_000, nodes=("zeus",))
        for payload, minute in ((started, 0), (counted, 50)):
            at = f"2{day + 3} 06:{minute:02d}:00"
            night.note(payload, at=story.at(at), runid=f"R-{study}", source="watcher@zeus")
        night.next_parameters(study=study, at=story.at(at))
    there = InputFile(path="survivors.json", present=True, bytes=10)
    night.note(InputsChecked(files=(there,)), at=story.at("21 12:00:00"), source="watcher@zeus")
    for time in ("19 12:00:00", "21 12:00:00"):
        night.record(story.Teller(f"well-{time[:2]}").look(time))
        for step in ("1", "3"):
            night.preflight(step, at=story.at(time))
    night.preflight("1", at=story.at("22 12:00:00"))  # of evidence that is a day old


def _decide(night: Runledger, time: str) -> None:
    """Every kind of decision, at a time and at cuts before it."""
    at = story.at(time)
    for step in ("1", "3", "9"):
        night.preflight(step, run="R-odd", at=at)
    night.record(story.Teller(f"at-{time[:5]}").look(time, lost=["rig-6600"]))
    night.preflight("1", trials=50, seed_count=100_000, at=at)
    night.preflight("3", at=at)
    night.exclusions(at=at)
    night.exclusions(as_of=40, at=story.at("24 20:00:00"))
    night.next_parameters(study="w", scope={"data": "jan"}, at=at)
    night.next_parameters(study=story.STUDY, step="1", at=at)
    night.next_parameters(study="nobody's", at=at)
    proposals = [(60, 100_000), (400, "20000000"), ("many", None), (50, 5_000_000)]
    for trials, seeds in proposals:
        night.propose(
            trials=trials, seed_count=seeds, proposer="llm", rationale="more", study="w", at=at
        )


def _by_hand(night: Runledger) -> None:
    """A policy whose text nobody formatted, and a decision that names the digest of that text."""
    written = digest(HAND_WRITTEN.encode())
    night.note(PolicyActivated(name="by hand", digest=written, text=HAND_WRITTEN))
    made = night.exclusions(at=story.at("27 12:00:00"))
    named = msgspec.structs.replace(
        made, decision=new_event_id(), policy=PolicyRef(name="by hand", digest=written)
    )
    assert isinstance(named, ExclusionsDecided)
    night.note(named, at=story.at("27 12:00:00"), id=named.decision)
    _decide(night, "27 13:00:00")
    night.record(parse_ndjson(_older_spelling()))


def _older_spelling() -> Iterator[bytes]:
    """An event as another program may send it: other spellings, the version named."""
    wire = to_wire(new_event(JobFinished(job="j", attempt=1), time_us=0, source="watcher@zeus"))
    wire["time"] = "2026-01-27T15:00:00+01:00"
    wire["data"]["pci"], wire["data"]["node"] = "0F:00.0", "zeus"
    yield msgspec.json.encode({**wire, "subject": "gpu/zeus/0F:00.0", "datacontenttype": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
