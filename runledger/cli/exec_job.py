"""The command that runs a job under guard: exec."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runledger.cli.parser import Commands, command, count, name

if TYPE_CHECKING:
    from collectors.jobs import Reporter


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "exec",
        _exec,
        "run a job; a failure is recorded before anything else happens",
        usage="runledger exec [options] -- CMD [ARG …]",
        more="Its output is passed through. Exits with its own code, or 128 + n where signal n "
        "ended it; 124 where its time was over, 127 where it was not found, 1 where only its "
        "result says that it failed.",
        examples=[
            "runledger exec --node rig-6600 --pci 22:00.0 --retries 2 -- python step3.py",
            "runledger exec --timeout 600 --result json:out/7.json -- ssh rig-6600 worker 7",
        ],
    )
    parser.add_argument(
        "--job", type=name, metavar="ID", help="default: the name of the program or script"
    )
    parser.add_argument("--node", type=name, metavar="N", help="the node that the job runs on")
    parser.add_argument("--pci", metavar="P", help="the card it uses, for example 0000:22:00.0")
    parser.add_argument("--index", type=count, metavar="I", help="that card's index")
    parser.add_argument(
        "--run", type=name, dest="run_id", metavar="ID", help="the run it belongs to"
    )
    parser.add_argument("--step", type=name, metavar="S", help="the pipeline step")
    parser.add_argument(
        "--attempt", type=count, default=1, metavar="N", help="this is the N-th attempt"
    )
    parser.add_argument(
        "--will-retry", action="store_true", help="the caller tries again after a failure"
    )
    parser.add_argument(
        "--retries", type=count, default=0, metavar="N", help="try again this often; default: 0"
    )
    parser.add_argument(
        "--retry-wait", type=_seconds, default=1.0, metavar="S",
        help="seconds between two attempts; default: 1",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=_seconds, metavar="S", help="end each attempt after so many seconds"
    )
    parser.add_argument(
        "--result",
        type=_result,
        metavar="WHERE",
        help="json:PATH or stdout: read the job's own result, which may say that it failed",
    )
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD", help="after --")


def _exec(arguments: argparse.Namespace) -> int:
    from runledger.api.guarding import Context, reporter_of
    from runledger.cli.ledger_options import settings_of
    from runledger.errors import BadInput
    from runledger.intake.commands import Attempts, Watch, execute, job_name
    from runledger.intake.spooling import recorder_at
    from runledger.terminal.output import talk

    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv or not argv[0]:
        raise BadInput(
            "no command to run", remedy="write it after --, as in runledger exec -- python x.py"
        )
    settings = settings_of(arguments)
    recorder = recorder_at(settings)
    warned: set[str] = set()

    def warn(text: str) -> None:
        if not warned:
            talk(f"runledger: warning: {text}")
        warned.add(text)

    reporter: Reporter = reporter_of(
        Context(recorder, settings.fleet, settings.folder),
        job_name(argv) if arguments.job is None else arguments.job,
        node=arguments.node,
        pci=arguments.pci,
        index=arguments.index,
        run=arguments.run_id,
        step=arguments.step,
        warn=warn,
    )
    attempts = Attempts(
        first=arguments.attempt,
        retries=arguments.retries,
        wait_s=arguments.retry_wait,
        will_retry=arguments.will_retry,
    )
    try:
        watch = Watch(arguments.timeout, arguments.result)
        return execute(
            argv, reporter, attempts, run=watch.run, talk=lambda text: talk(f"runledger: {text}")
        )
    finally:
        recorder.close()


def _result(text: str) -> str:
    if text == "stdout" or (text.startswith("json:") and len(text) > len("json:")):
        return text
    raise argparse.ArgumentTypeError(f"{text!r}: write json:PATH or stdout")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to a day")
    return value
