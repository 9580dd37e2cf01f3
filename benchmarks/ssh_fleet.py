"""How long it takes to reach 64 nodes, against the OpenSSH client run in parallel by xargs.

``python -m benchmarks.ssh_fleet`` starts real sshds on 127.0.0.2 to
127.0.0.65 and measures, each in a fresh process that starts from nothing:

- the yardstick: ``xargs -P 32 ssh … true``, no connection sharing;
- ours, cold: the same trivial command; and the whole health probe of a rig
  with twelve cards (a folder with fake ``sys`` and tools) on every node;
- the same from the command line, into a new ledger: ``runledger probe``;
- ours, cold, with five nodes that take the connection and never answer;
- ours, warm: a second run on connections kept open.

Medians of a few runs; it ends by itself within some minutes. Client and
servers share the machine, so its cores are the limit, not the network. With
``--login-files`` sessions run the present user's start-up files.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from collectors.probe import ProbeRequest, parse_probe, probe_script
from collectors.reach import Connections, Limits, NodeResult, NodeSpec, run_script_blocking
from tests.rigs import Rig
from tests.sshd import Sshd

NODES = 64
HANGING = 5
RUNS = 3
WARM_RUNS = 5
CARDS = 12
CONNECT_S = 5.0
LIMITS = Limits(connect_s=CONNECT_S, command_s=60, total_s=120)
REQUEST = ProbeRequest(nonce="0123456789abcdef0123456789abcdef")


def main() -> None:
    """Measure and print; or, with hidden arguments, be one measured process."""
    options = _options()
    if options.child:
        _child(options)
        return
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name, _silence() as silent_port:
        folder = Path(name)
        hosts = {f"127.0.0.{2 + number}": _host(folder, number) for number in range(NODES)}
        if options.login_files:
            hosts = {host: {"HOME": str(Path.home())} for host in hosts}
        with Sshd(folder / "sshd", hosts) as server:
            (folder / "hosts").write_text("".join(f"{host}\n" for host in hosts))
            _report(server, folder, silent_port, with_probe=not options.login_files)


def _report(server: Sshd, folder: Path, silent_port: int, *, with_probe: bool) -> None:
    ssh = [
        *("xargs", "-P", "32", "-I{}", "-a", str(folder / "hosts")),
        *("ssh", "-F", str(server.ssh_config), "-o", "BatchMode=yes", "-o", "ControlMaster=no"),
        *("{}", "true"),
    ]
    yardstick, ours = _times(lambda: _command(ssh), lambda: _ours(server, "trivial"))
    print(f"{NODES} nodes on loopback, {os.cpu_count()} cores; medians of {RUNS} runs")
    print(f"xargs -P 32 ssh … true          {yardstick:7.2f} s")
    print(f"ours, cold, trivial command     {ours:7.2f} s   ratio {ours / yardstick:.2f}")
    if with_probe:
        probe = statistics.median(_ours(server, "probe") for _ in range(RUNS))
        print(f"ours, cold, whole probe         {probe:7.2f} s   ratio {probe / yardstick:.2f}")
        stored = statistics.median(_stored(server, folder / str(run)) for run in range(RUNS))
        print(f"runledger probe, new ledger     {stored:7.2f} s   ratio {stored / yardstick:.2f}")
    hanging = statistics.median(_ours(server, "trivial", silent_port) for _ in range(RUNS))
    print(
        f"ours, cold, {HANGING} of them hanging   {hanging:7.2f} s   "
        f"{hanging - ours:+.2f} s against a timeout of {CONNECT_S:g} s"
    )
    first, again = asyncio.run(_warm(server.nodes()))
    print(f"ours, warm, trivial command     {again:7.2f} s   {first / again:.1f} times faster")


def _host(folder: Path, number: int) -> dict[str, str]:
    return Rig(folder / f"rig-{number}", gpus=CARDS, count_smu=False).env()


def _times(*measures: Callable[[], float]) -> tuple[float, ...]:
    """Medians, the measures taken in turns so that a busy moment meets all of them."""
    rounds = [[measure() for measure in measures] for _ in range(RUNS)]
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def _command(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120
    )
    return time.perf_counter() - started


def _ours(server: Sshd, script: str, silent_port: int = 0) -> float:
    return _command(
        [
            *(sys.executable, "-m", "benchmarks.ssh_fleet", "--child", script),
            *("--config", str(server.ssh_config), "--silent-port", str(silent_port)),
        ]
    )


def _stored(server: Sshd, folder: Path) -> float:
    """The command line, which also parses, stores and takes turns."""
    folder.mkdir()
    nodes = "".join(
        f'[[nodes]]\nname = "node-{number}"\naddress = "127.0.0.{2 + number}"\n'
        f'ssh_config = "{server.ssh_config}"\ngpus = {CARDS}\n'
        for number in range(NODES)
    )
    (folder / "runledger.toml").write_text(nodes)
    config = ["--config", str(folder / "runledger.toml"), "--ledger", str(folder / "bench.db")]
    took = _command([sys.executable, "-m", "runledger", "probe", "--json", *config])
    told = subprocess.run(
        [sys.executable, "-m", "runledger", "events", "--where", "type=gpu_probe", *config],
        check=True,
        capture_output=True,
    )
    stored = told.stdout.count(b"\n")
    if stored != NODES:
        sys.exit(f"{stored} probes were stored, not {NODES}")
    return took


async def _warm(nodes: list[NodeSpec]) -> tuple[float, float]:
    """Seconds of the first run and of a later one, in one process."""
    async with Connections(LIMITS) as connections:
        took = []
        for _ in range(1 + WARM_RUNS):
            started = time.perf_counter()
            _check(await connections.run_script(nodes, lambda _: b"true\n"), failures=0)
            took.append(time.perf_counter() - started)
    return took[0], statistics.median(took[1:])


def _child(options: argparse.Namespace) -> None:
    nodes = [
        NodeSpec(name=f"node-{number}", address=f"127.0.0.{2 + number}", ssh_config=options.config)
        for number in range(NODES)
    ]
    failures = HANGING if options.silent_port else 0
    for number in range(failures):
        place = number * (NODES // HANGING)
        nodes[place] = NodeSpec(
            name=f"silent-{number}",
            address="127.0.0.1",
            port=options.silent_port,
            ssh_config=options.config,
        )
    script = probe_script(REQUEST) if options.child == "probe" else b"true\n"
    results = run_script_blocking(nodes, lambda _: script, limits=LIMITS)
    _check(results, failures)
    if options.child == "probe":
        for result in results:
            report = parse_probe(result.stdout, REQUEST)
            if len(report.cards) != CARDS or report.errors:
                sys.exit(f"{result.node.name}: {report.errors}, {len(report.cards)} cards")


def _check(results: list[NodeResult], failures: int) -> None:
    failed = [result for result in results if not result.ok]
    if len(failed) != failures:
        sys.exit(f"{len(failed)} nodes failed, {failures} were to: {failed[:3]}")


@contextlib.contextmanager
def _silence() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--login-files", action="store_true", help="run the user's start-up files")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--config", help=argparse.SUPPRESS)
    parser.add_argument("--silent-port", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
