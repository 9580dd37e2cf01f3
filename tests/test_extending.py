"""Adding things touches the files that docs/architecture.md names, at most four, and works.

An event type, a rule and a command are added in a copy of the source, and used
there through the command line.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("collectors", "ledger", "migrations", "rules", "runledger")

EVENT_TYPE = '''

class FanCleaned(Payload, frozen=True, kw_only=True):
    """Someone cleaned the fans of a node."""

    event_type = "fan_cleaned"

    node: Identifier
    fans: Count
'''
RULE = """

PREFLIGHT_RULES += (
    Rule(
        name="node_left_out",
        about="node",
        when=next(rule.when for rule in PREFLIGHT_RULES if rule.name == "node_excluded"),
        severity="warn",
        message="{node} is left out, says a rule that was added",
        remedy="nothing",
    ),
)
"""
COMMAND = '''"""What was cleaned: fans."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command


def add(commands: Commands) -> None:
    """Declare the commands."""
    command(commands, "fans", _fans, "count cleaned fans", examples=["runledger fans"])


def _fans(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json

    with opened(arguments, create=False) as runledger:
        found = list(runledger.ledger.read(types=["fan_cleaned"]))
    print_json({"fans": sum(event.data.fans for event in found)})
    return exits.DONE
'''
CONFIG = """
[[nodes]]
name = "rig"
gpus = 1

[steps.1]
nodes = ["rig"]
"""


class Copy:
    """A copy of the source, what was changed in it, and the command line of it."""

    def __init__(self, folder: Path) -> None:
        self.source, self.work = folder / "source", folder / "work"
        self.touched: list[str] = []
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, self.source / package, ignore=ignored)
        self.work.mkdir()
        (self.work / "runledger.toml").write_text(CONFIG)

    def append(self, file: str, text: str) -> None:
        """Put text at the end of a file, new or not."""
        self.touched.append(file)
        with (self.source / file).open("a", encoding="utf-8") as end:
            end.write(text)

    def replace(self, file: str, old: str, new: str) -> None:
        """Change the first place where a file says ``old``."""
        self.touched.append(file)
        path = self.source / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def run(self, *arguments: str, given: str = "", code: int = 0) -> dict[str, object]:
        """What a command of the copy prints as JSON."""
        command = [sys.executable, "-m", "runledger", "--json", *arguments]
        done = subprocess.run(
            command,
            cwd=self.work,
            env={"PYTHONPATH": str(self.source), "PATH": "/usr/bin:/bin"},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        printed: dict[str, object] = json.loads(done.stdout)
        return printed


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def named(to: str) -> list[str]:
    """The files and folders that the row of architecture.md for ``to`` names."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {re.escape(to)} \|(.*)\|$", page, re.MULTILINE)
    return [each for each in re.findall(r"`([^`]+)`", row) if "/" in each]


def check_walk(copy: Copy, to: str) -> None:
    """What was touched is what the page names: the file itself, or the folder that it is in."""
    places = named(to)
    assert len(places) <= 4
    assert len(copy.touched) <= 4
    for file in copy.touched:
        assert any(
            file == place or (file.startswith(place) and place[-1] == "/") for place in places
        )
    for place in places:
        assert (ROOT / place).exists(), place


def _event() -> str:
    return json.dumps(
        {
            "type": "fan_cleaned",
            "source": "someone",
            "subject": "node/rig",
            "time": "2026-01-24T12:00:00Z",
            "data": {"node": "rig", "fans": 3},
        }
    )


def _add_event_type(copy: Copy) -> None:
    copy.append("ledger/payloads/nodes.py", EVENT_TYPE)
    old = "from ledger.payloads.nodes import (\n"
    copy.replace("ledger/payloads/__init__.py", old, f"{old}    FanCleaned,\n")


def test_an_event_type_is_added_and_recorded(copy: Copy) -> None:
    _add_event_type(copy)
    check_walk(copy, "add an event type")
    assert copy.run("record", given=_event())["stored"] == 1
    (event,) = copy.run("events", "--where", "type=fan_cleaned")["events"]  # type: ignore[misc]
    assert event["data"] == {"node": "rig", "fans": 3}
    assert copy.run("verify")["ok"] is True
    wrong = _event().replace("3", '"three"')
    done = subprocess.run(
        [sys.executable, "-m", "runledger", "record"],
        cwd=copy.work, env={"PYTHONPATH": str(copy.source)}, input=wrong,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, "data.fans" in done.stderr) == (2, True)


def test_a_rule_over_an_existing_feature_is_added_and_fires(copy: Copy) -> None:
    copy.append("rules/rulesets/preflight.py", RULE)
    check_walk(copy, "add a rule over an existing feature")
    copy.run("record")
    words = ("--reason", "fans", "--by", "someone")
    copy.run("override", "node/rig", "exclude", *words)
    decided = copy.run("preflight", "--step", "1", "--no-probe", code=10)
    found = {each["rule"]: each["message"] for each in decided["findings"]}  # type: ignore[attr-defined]
    assert found["node_left_out"] == "rig is left out, says a rule that was added"
    assert copy.run("replay")["drifted"] == []
    (copy.work / "policy.toml").write_text('[rules]\ndisabled = ["node_left_out"]\n')
    changed = copy.run("whatif", "--policy", "policy.toml")
    assert changed["decisions"] == 1


def test_a_command_is_added_and_runs(copy: Copy) -> None:
    copy.append("runledger/cli/fans.py", COMMAND)
    copy.replace("runledger/cli/__init__.py", '    "query",\n', '    "query",\n    "fans",\n')
    check_walk(copy, "add a command")
    _add_event_type(copy)
    copy.run("record", given=_event())
    assert copy.run("fans") == {"fans": 3}
