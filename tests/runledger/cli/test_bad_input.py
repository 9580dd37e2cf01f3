"""Input that no command was made for: one clear error within seconds, never exit 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import new_event, open_ledger
from ledger.payloads import RunStarted
from runledger.cli import build_parser
from runledger.cli.parser import Parser

T = "2026-01-24T18:02:11Z"
SLOWEST_S = 20.0  # of a command with its start-up, on a machine that has other work

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The program, in a folder with a ledger; what it says must be words for people."""

    def command(
        *arguments: str, code: int | tuple[int, ...] = 2, input: str = ""
    ) -> subprocess.CompletedProcess[str]:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "runledger", *arguments],
            cwd=tmp_path,
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert time.monotonic() - started < SLOWEST_S
        codes = (code,) if isinstance(code, int) else code
        assert done.returncode in codes, (arguments, done.returncode, done.stderr[-500:])
        assert "Traceback" not in done.stderr
        return done

    open_ledger(tmp_path / "runledger.db").close()
    return command


READS_A_FILE: list[list[str]] = [
    ["record", "FILE"],
    ["restore", "FILE", "--ledger", "new.db"],
    ["import", "kernel-log", "FILE", "--node", "rig"],
    ["import", "optuna", "FILE", "--assume-tz", "UTC"],
    ["whatif", "--policy", "FILE"],
    ["whatif", "--with", "FILE"],
    ["backtest", "--policy", "FILE"],
    ["test", ".", "--policy", "FILE"],
    ["exclusions", "--merge", "FILE"],
    ["init", "--from", "FILE", "--config", "new.toml"],
    ["study", "check", "--study", "s", "--space", "FILE"],
    ["events", "--config", "FILE"],
    ["events", "--ledger", "FILE"],
]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop", "long", "memory"])
@pytest.mark.parametrize("arguments", READS_A_FILE, ids=lambda each: " ".join(each[:3]))
def test_what_is_no_file_is_refused_by_name(
    run: Run, tmp_path: Path, arguments: list[str], kind: str
) -> None:
    odd = tmp_path / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    elif kind == "loop":
        odd.symlink_to(odd)
    name = {"device": "/dev/zero", "long": "a" * 5000, "memory": "/proc/self/mem"}.get(
        kind, str(odd)
    )
    done = run(*(name if each == "FILE" else each for each in arguments), code=(2, 3, 12))
    assert done.stderr.strip()


def test_a_pipe_that_somebody_writes_into_is_read(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    event = {"type": "ssh_probe", "source": "x", "time": T}
    line = json.dumps({**event, "data": {"node": "a", "reachable": True}})
    with subprocess.Popen(["sh", "-c", f"echo '{line}' > {pipe}"]):
        run("record", str(pipe), code=0)


def test_stdin_that_has_no_end_is_refused(tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as zero:
        done = subprocess.run(
            [sys.executable, "-m", "runledger", "record"],
            stdin=zero,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert b"stdin is a device" in done.stderr


def _commands(parser: Parser, before: tuple[str, ...] = ()) -> list[tuple[Parser, tuple[str, ...]]]:
    found = [(parser, before)]
    for action in parser._actions:
        for name, inner in (action.choices or {}).items() if _is_commands(action) else ():
            found += _commands(inner, (*before, name))
    return found


def _is_commands(action: object) -> bool:
    return type(action).__name__ == "_SubParsersAction"


def test_every_option_that_names_a_file_refuses_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried = 0
    for parser, _ in _commands(build_parser()):  # type: ignore[arg-type]
        for action in parser._actions:
            if action.metavar in ("FILE", "DIR", "URL-or-path", "STORAGE"):
                for bad in ("a\0b", "a\nb", "\x1b[2J"):
                    with pytest.raises(Exception, match="control character") as raised:
                        parser._get_value(action, bad)
                    assert type(raised.value).__name__ == "ArgumentError"
                    tried += 1
    assert tried > 60


@pytest.mark.parametrize("key", ["ledger", "policy", "spool"])
def test_a_path_in_the_configuration_that_is_none_is_named(
    run: Run, tmp_path: Path, key: str
) -> None:
    (tmp_path / "runledger.toml").write_text(f'{key} = "a\\u0000b"\n')
    assert f"{key} = " in run("decisions", code=2).stderr


@pytest.mark.parametrize(
    "text",
    [
        "[tuning]\ndefault_trials = " + "9" * 308,
        "[tuning]\ndefault_trials = " + "9" * 5000,
        "[tuning]\ndefault_trials = 0x" + "f" * 9000,
        "x = " + "[" * 5000 + "]" * 5000,
        "[" + "a." * 50_000 + "a]",
        "a." * 50_000 + "a = 1",
        "x = {" + "a." * 50_000 + "a = 1}",
        "[rules]\ndisabled = [" + ",".join(f'"r{n}"' for n in range(100_000)) + "]",
        "\n".join(f"key{n} = 1" for n in range(100_000)),
    ],
    ids=["308", "5000", "hex", "list", "header", "key", "inline", "names", "keys"],
)
def test_a_policy_or_configuration_without_bounds_is_refused_in_time(
    run: Run, tmp_path: Path, text: str
) -> None:
    (tmp_path / "odd.toml").write_text(text)
    assert len(run("whatif", "--policy", "odd.toml").stderr) < 20_000
    run("decisions", "--config", "odd.toml")
    if "\n[" not in text and len(text) < 100_000:
        run("whatif", "--set", f"tuning.default_trials={text.partition('= ')[2]}")


def test_a_hundred_thousand_unknown_nodes_are_named_in_time(run: Run, tmp_path: Path) -> None:
    names = ",".join(f'"n{n}"' for n in range(100_000))
    (tmp_path / "runledger.toml").write_text(
        f'[[nodes]]\nname = "rig"\n[steps."3"]\nnodes = [{names}]\n'
    )
    said = run("decisions").stderr
    assert "no node 'n0'; did you mean rig?" in said
    assert "99,950 more" in said


def test_a_hundred_thousand_mistakes_in_a_batch_are_named_in_time(run: Run) -> None:
    fields = {f"k{n}": n for n in range(50_000)}
    event = {"type": "ssh_probe", "source": "x", "time": T}
    assert "more unknown names" in run("record", input=json.dumps({**event, "data": fields})).stderr
    lines = "\n".join(json.dumps({**event, "type": f"ssh_prob{n}"}) for n in range(100_000))
    assert "line 1: " in run("record", input=lines).stderr


def test_what_export_writes_record_whatif_and_case_take(run: Run, tmp_path: Path) -> None:
    great = {"lr": 1e20, "big": 2.0**53 + 2, "whole": 38199497664969090.0, "huge": 1e300}
    with open_ledger(tmp_path / "runledger.db") as ledger:
        started = RunStarted(requested=great, scope={"n": 1e20})
        ledger.append(new_event(started, time_us=10**15, source="x", runid="R"))
    exported = run("export", code=0).stdout
    assert '"lr":100000000000000000000' in exported
    (tmp_path / "events.ndjson").write_text(exported)
    run("record", "events.ndjson", "--ledger", "other.db", code=0)
    assert '"duplicates": 1' in run("record", "events.ndjson", "--json", code=0).stdout
    again = json.loads(run("export", "--ledger", "other.db", code=0).stdout)
    assert again["data"] == json.loads(exported)["data"]
    assert run("whatif", "--with", "events.ndjson", "--json", code=0).stdout
    run("verify", "--ledger", "other.db", code=0)


@pytest.mark.parametrize(
    "number", ["9007199254740993", "12345678901234567890", "-9223372036854775809"]
)
def test_an_integer_that_no_double_is_spelt_as_is_refused(run: Run, number: str) -> None:
    line = f'{{"type":"run_started","source":"x","time":"{T}","runid":"R",'
    line += f'"data":{{"requested":{{"a":{number}}}}}}}'
    assert "2**53" in run("record", input=line).stderr


def test_a_count_beyond_doubles_is_refused_however_it_is_spelt(run: Run) -> None:
    line = f'{{"type":"run_started","source":"x","time":"{T}","runid":"R",'
    line += '"data":{"trials":100000000000000000000}}'
    assert "data.trials" in run("record", input=line).stderr


def test_a_report_over_all_time_is_made_in_time(run: Run, tmp_path: Path) -> None:
    probe = {"node": "rig", "method": "x", "smu_reads": 0}
    gpus = [{"pci": "0000:01:00.0", "state": "ok"}]
    lines = "\n".join(
        json.dumps(
            {
                "type": "gpu_probe",
                "source": "x",
                "time": f"{year:04}-06-01T00:00:00Z",
                "data": {**probe, "gpus": gpus},
            }
        )
        for year in (1, 1970, 2026, 2027, 9999)
    )
    run("record", input=lines, code=0)
    period = ["--since", "0001-01-01T00:00:00Z", "--until", "9999-12-31T23:59:59Z"]
    run("report", *period, "--output", "all.html", code=0)
    assert (tmp_path / "all.html").stat().st_size > 1000
