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
file=journal.0 after=
for word; do
    case $word in
        -1) file=journal.1 ;;
        --after-cursor=*) after=${word#*=} ;;
    esac
done
cd FOLDER
[ -e "$file" ] || { echo 'Specifying boot ID or boot offset has no effect' >&2; exit 1; }
seen=
[ -n "$after" ] || exec cat "$file"
while IFS= read -r line; do
    [ -z "$seen" ] || printf '%s\\n' "$line"
    case $line in *"\\"$after\\""*) seen=1 ;; esac
done <"$file"
exit 0
"""
"""A shell script; FOLDER stands for where journal.0 (this boot) and journal.1 (the last) are."""
