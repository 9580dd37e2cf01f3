# POSIX sh. Remembers for a ledger which heads it showed here, and shows them when asked.
#
# One line a probe in a file of this user's alone, added to and never changed: whoever
# rewrites the ledger where it is kept does not reach what rigs remember of it.

# What of the file is asked for, `LEDGER PLACE`, and the line to add, if any.
recall=
remember=

look_at_witness() {
    section witness
    work "$read_limit" recall_heads
    finish "$status"
}

# In a worker: lines of this ledger, or of another one that was kept at the same place. All
# of the newest, and fewer of the older ones.
recall_heads() {
    [ -n "${XDG_STATE_HOME:-}" ] || [ -n "${HOME:-}" ] || return 1
    folder=${XDG_STATE_HOME:-$HOME/.local/state}/runledger
    kept=$folder/witness
    if [ -h "$kept" ]; then return 1; fi
    if [ -e "$kept" ] && [ ! -f "$kept" ]; then return 1; fi
    for part in "$kept.old" "$kept"; do
        if [ -f "$part" ]; then cat "$part"; fi
    done | awk -v ledger="${recall%% *}" -v place="${recall#* }" '
        NF == 5 && length($0) < 256 && ($1 == ledger || $2 == place) { line[++n] = $0 }
        END {
            step = n > 64 ? int(n / 32) : 1
            for (i = 1; i <= n; i++) if (i > n - 32 || i % step == 0) print line[i]
        }' || return 1
    [ -n "$remember" ] || return 0
    mkdir -p -- "$folder" || return 1
    # Half a month of a probe every ten minutes; as much again is kept beside it.
    if [ -f "$kept" ] && [ "$(wc -c <"$kept")" -gt 262144 ]; then
        mv -f -- "$kept" "$kept.old" || return 1
    fi
    printf '%s\n' "$remember" >>"$kept"
}
