"""Commands that prove what a ledger is: verify, seal, witness."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from ledger import Head, Ledger, Verification
    from runledger.probing import WitnessSaid
    from runledger.sealing.seals import SealCheck


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "verify",
        _verify,
        "recompute every hash of the chain, and check its seals",
        examples=[
            "runledger verify",
            "runledger verify --allowed-signers ~/.ssh/allowed_signers",
        ],
    )
    parser.add_argument("--expect-head", metavar="SEQ:HASH", help="a head noted earlier")
    parser.add_argument(
        "--allowed-signers",
        metavar="FILE",
        type=Path,
        help="check every seal: OpenSSH's file of who may sign",
    )
    parser.add_argument(
        "--since-seal", metavar="SEQ:HASH", help="a seal noted earlier, which must be there"
    )

    parser.add_argument(
        "--witnesses", action="store_true", help="ask every witness for the heads it remembers"
    )

    parser = command(
        commands,
        "seal",
        _seal,
        "sign the head with an SSH key",
        more="The signature is OpenSSH's, over SEQ:HASH and one newline, in the namespace "
        "runledger: ssh-keygen -Y verify checks it without this program (docs/event-format.md).",
        examples=["runledger seal --key ~/.ssh/id_ed25519", "runledger seal --agent"],
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--key", metavar="FILE", type=Path, help="a private key")
    which.add_argument("--agent", action="store_true", help="the first key that ssh-agent holds")

    parser = command(
        commands,
        "witness",
        _witness,
        "accept what witnesses remember and this ledger does not hold",
        more="For a ledger that was restored from an older copy on purpose: heads that witnesses "
        "were shown before now are not missed any more, later ones are.",
        examples=['runledger witness accept --reason "restored the backup of Friday" --by me'],
    )
    parser.add_argument("action", choices=["accept"], help="the only thing to say to them")
    parser.add_argument("--reason", required=True, help="why")
    parser.add_argument("--by", required=True, metavar="WHO", help="who says so")


def _verify(arguments: argparse.Namespace) -> int:
    from ledger import Damaged, Head, Verification, verify
    from ledger.canonical import GENESIS
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.errors import BadInput
    from runledger.terminal.output import print_json, talk

    expect = _head(arguments.expect_head, "--expect-head")
    since_seal = _head(arguments.since_seal, "--since-seal")
    if since_seal is not None and arguments.allowed_signers is None:
        raise BadInput("--since-seal needs --allowed-signers: nothing else can tell a good seal")
    seals: SealCheck | None = None
    witnesses: list[WitnessSaid] | None = None
    warnings: list[str] = []
    try:
        with opened(arguments) as runledger, progress("verifying") as advance:
            result = verify(runledger.ledger, expect=expect, progress=advance)
            warnings += _schema_warnings(runledger.ledger)
            if arguments.allowed_signers is not None:
                seals = _seals(runledger.ledger, arguments.allowed_signers, result)
            if arguments.witnesses:
                witnesses = runledger.ask_witnesses()
    except Damaged as error:  # not even its tables can be read: an answer, too
        talk(str(error))
        result = Verification(False, Head(0, GENESIS), 1, "position 1 cannot be read")
    trouble = ""
    if result.ok:
        trouble = "" if seals is None else seals.trouble(since_seal)
        trouble = trouble or _missed(witnesses)
    warnings += [] if seals is None else seals.bad
    warnings += [f"{each.witness}: {each.problem}" for each in witnesses or () if each.problem]
    ok = result.ok and not trouble
    for warning in warnings:
        talk(f"warning: {warning}")
    if arguments.json:
        shown = {"ok": ok, "head": result.head._asdict(), "first_bad": result.first_bad}
        more = {"warnings": warnings} if warnings else {}
        print_json({**shown, **_shown(seals), **_asked(witnesses), **more})
    else:
        _say(result, seals, witnesses, trouble)
    if not ok:
        return exits.DRIFT
    silent = witnesses is not None and all(each.problem for each in witnesses)
    return exits.NEEDS_PERSON if silent else exits.DONE


def _schema_warnings(ledger: Ledger) -> list[str]:
    """Parts of the database that are not as they were made; who may not compare is not told."""
    from ledger import LedgerError, schema_differences

    try:
        return [f"{each}: `runledger doctor` says more" for each in schema_differences(ledger)]
    except LedgerError:
        return []


def _seals(ledger: Ledger, allowed: Path, result: Verification) -> SealCheck | None:
    """What the seals say; None where a broken chain cannot be read for them."""
    from ledger import LedgerError
    from runledger.sealing.seals import check_seals

    try:
        return check_seals(ledger, allowed)
    except LedgerError:
        if result.ok:
            raise
        return None


def _shown(seals: SealCheck | None) -> dict[str, Any]:
    if seals is None:
        return {}
    newest = None if seals.newest is None else seals.newest._asdict()
    return {"seals": {"good": len(seals.good), "bad": len(seals.bad), "newest": newest}}


def _missed(witnesses: list[WitnessSaid] | None) -> str:
    """A head that a witness remembers and the ledger does not hold, in words."""
    for each in witnesses or ():
        if each.not_held:
            head = each.not_held[-1]
            return f"{each.witness} saw position {head.sequence} with a hash that is not held here"
    return ""


def _asked(witnesses: list[WitnessSaid] | None) -> dict[str, Any]:
    if witnesses is None:
        return {}
    said = [
        {"node": each.witness, **head._asdict()} for each in witnesses for head in each.not_held
    ]
    answered = sum(not each.problem for each in witnesses)
    return {"witnesses": {"asked": len(witnesses), "answered": answered, "not_held": said}}


def _say(
    result: Verification,
    seals: SealCheck | None,
    witnesses: list[WitnessSaid] | None,
    trouble: str,
) -> None:
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.terminal.output import colour, say

    head = result.head
    if not result.ok:
        say(colour(result.reason, "bad"))
        say(f"good up to position {head.sequence}; restore a backup or an export")
        return
    say(colour("the chain is whole", "good") + f"; head {head.sequence}:{head.hash}")
    if trouble:
        say(colour(trouble, "bad"))
        say(
            "this is another history: ask who changed it, and restore a backup; or say that it "
            "is meant: runledger witness accept --reason TEXT --by WHO"
        )
        return
    if witnesses is not None:
        heads = sum(each.remembered for each in witnesses)
        answered = sum(not each.problem for each in witnesses)
        say(
            f"{answered} of {len(witnesses)} witnesses answered; "
            f"all of {counted(heads, 'remembered head')} held or accepted"
        )
    if seals is not None and seals.newest is not None:
        newest, signer = seals.newest, plain(seals.signer)
        say(
            f"{counted(len(seals.good), 'good seal')}, the newest of position {newest.sequence} "
            f"by {signer}; {counted(head.sequence - newest.sequence, 'event')} after it"
        )


def _head(text: str | None, option: str) -> Head | None:
    import re

    from ledger import Head
    from runledger.errors import BadInput

    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,18}):([0-9a-fA-F]{64})", text)
    if match is None:
        raise BadInput(f"{option} {text!r} is not SEQ:HASH, as `verify` prints it")
    return Head(int(match[1]), match[2].lower())


def _seal(arguments: argparse.Namespace) -> int:
    from ledger import to_wire
    from ledger.text.characters import plain
    from runledger.cli.ledger_options import opened
    from runledger.sealing.seals import seal
    from runledger.terminal.output import print_json, say

    with opened(arguments, write=True) as runledger:
        event = seal(runledger.ledger, arguments.key, now_us=runledger.now())
        data = to_wire(runledger.ledger.get(event.id))["data"]
    if arguments.json:
        print_json({**data, "event": event.id})
    else:
        say(f"sealed {data['sequence']}:{data['hash']} by {plain(data['signer'])}")
        say(plain(data["signature"], keep_lines=True).rstrip())
    return exits.DONE


def _witness(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say

    with opened(arguments, write=True) as runledger:
        event = runledger.accept_witnesses(reason=arguments.reason, by=arguments.by)
    if arguments.json:
        print_json({"event": event.id})
    else:
        say("accepted: what witnesses were shown before now is not missed any more")
    return exits.DONE
