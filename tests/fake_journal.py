"""A journalctl for rigs: entries as the real one prints them, and a script to show them."""

from __future__ import annotations

import json
from collections.abc import Iterable


def entries(lines: Iterable[str], boot_id: str) -> str:
    """One JSON object a line, a second apart; text that is not printable as a list of bytes."""
    boot = boot_id.replace("-", "")
    return "".join(
        json.dumps(
            {
                "__CURSOR": f"s=feed;i={at:x};b={boot};t=0;x=1",
                "__REALTIME_TIMESTAMP": str(1_769_277_600_000_000 + at * 1_000_000),
                "__MONOTONIC_TIMESTAMP": str(at * 1_000_000 + 500),
                "_SOURCE_MONOTONIC_TIMESTAMP": str(at * 1_000_000),
                "_BOOT_ID": boot,
                "PRIORITY": "4",
                "MESSAGE": line if line.isprintable() else list(line.encode()),
            },
            separators=(",", ":"),
        )
        + "\n"
        for at, line in enumerate(lines, 1)
    )


JOURNALCTL = """
cd FOLDER
set_of=journal.0 after=
for word; do
    case $word in
        -1) set_of=journal.1 ;;
        _TRANSPORT=kernel) set_of=$(ls journal.* | sort -r) ;;
        --after-cursor=*) after=${word#*=} ;;
    esac
done
for file in $set_of; do
    [ -e "$file" ] || { echo 'Specifying boot ID or boot offset has no effect' >&2; exit 1; }
done
[ -n "$after" ] || exec cat $set_of
# A cursor that is not kept stands before all that is.
seen=1
case $(cat $set_of) in *"\\"$after\\""*) seen= ;; esac
for file in $set_of; do
    while IFS= read -r line; do
        [ -z "$seen" ] || printf '%s\\n' "$line"
        case $line in *"\\"$after\\""*) seen=1 ;; esac
    done <"$file"
done
exit 0
"""
"""A shell script; FOLDER stands for where journal.0 (this boot), journal.1 (the last) … are."""
