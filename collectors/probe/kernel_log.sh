# POSIX sh. Reads the kernel log since a cursor, from the one source that this user may read:
# the journal, else /dev/kmsg, else dmesg. That a source shows nothing for want of
# permission is told apart from its having nothing new.

known_boot=
cursor=
hits=
# An extended regular expression: words of which each says that a controller failed.
trouble=
fields=--output-fields=MESSAGE,PRIORITY,_BOOT_ID,_SOURCE_MONOTONIC_TIMESTAMP
log_limit=10
log_bytes=8388608

# The kernel log, from the one source that can be read, since the caller's cursor.
scan_kernel_log() {
    same_boot=
    if [ -n "$known_boot" ] && [ "$known_boot" = "$boot_id" ]; then same_boot=1; fi
    source=none
    if scan_journal; then
        source=journal
    elif scan_ring kmsg dd "if=$root/dev/kmsg" iflag=nonblock bs=8192 status=none; then
        source=kmsg
    elif scan_ring dmesg dmesg -x || scan_ring dmesg dmesg; then
        source=dmesg
    fi
    section kernel-source
    printf '%s\n' "$source" >>"$file"
    finish 0
    [ "$source" = journal ] && [ -n "$known_boot" ] && [ -z "$same_boot" ] || return 0
    section previous.journal
    # Several boots may have gone by: `-k` would show one of them only.
    set -- -k -b -1
    case $cursor in journal:*) set -- _TRANSPORT=kernel "--after-cursor=${cursor#journal:}" ;; esac
    run "$log_limit" "$log_bytes" journalctl -o json --no-pager "$fields" "$@"
    finish "$status"
}

# scan_journal: fails where the journal may not be read, which is not the same as being empty.
scan_journal() {
    command -v journalctl >/dev/null 2>&1 || return 1
    section kernel.journal
    since=
    if [ -n "$same_boot" ]; then case $cursor in journal:*) since=${cursor#journal:} ;; esac; fi
    run "$log_limit" "$log_bytes" journalctl -k -o json --no-pager "$fields" \
        ${since:+"--after-cursor=$since"}
    finish "$status"
    lines_seen=0
    while IFS= read -r line && [ "$lines_seen" -lt 20 ]; do
        lines_seen=$((lines_seen + 1))
        case $line in
            *'not seeing messages from other users'* | *'insufficient permissions'* | \
                *'No journal files were'*) return 1 ;;
        esac
    done <"$err"
    # Stopped half-way is still the source to read from; the rest is for the next time.
    case $status in 0 | 124 | 137 | 153 | hung) ;; *) return 1 ;; esac
    # The first line of a boot is the kernel's version: without any line it was not readable.
    first_line "$file"
    case $since$line in '' | '--'*) return 1 ;; esac
    find_card_errors "$file"
    return 0
}

# scan_ring KIND COMMAND…: the kernel's ring buffer; only what is newer than the cursor is kept.
scan_ring() {
    kind=$1
    shift
    if [ "$kind" = kmsg ]; then [ -r "$root/dev/kmsg" ] || return 1; fi
    command -v "$1" >/dev/null 2>&1 || return 1
    since=-1
    if [ -n "$same_boot" ]; then case $cursor in "$kind":*) since=${cursor#*:} ;; esac; fi
    section "kernel.$kind"
    into=$scratch/ring
    rm -f "$into" </dev/null
    run "$log_limit" "$log_bytes" "$@"
    into=$file
    if [ ! -s "$scratch/ring" ]; then
        finish "$status"
        return 1
    fi
    ring_status=$status
    run "$log_limit" "$log_bytes" awk -v kind="$kind" -v since="$since" '
        kind == "kmsg" && /^[0-9]+,[0-9]+,/ { split($0, part, ","); keep = part[2] + 0 > since + 0 }
        kind == "dmesg" {
            text = $0
            if (sub(/^[^[]*\[ */, "", text) && text ~ /^[0-9]+\.[0-9]+\]/) keep = text + 0 > since + 0
        }
        keep' "$scratch/ring"
    if timed_out; then ring_status=$status; fi
    # Not blocking, dd ends at the newest record with EAGAIN, which is the end and no failure.
    if [ "$kind" = kmsg ] && [ "$ring_status" = 1 ]; then
        while IFS= read -r line; do
            case $line in *'temporarily unavailable'*) ring_status=0 ;; esac
        done <"$err"
    fi
    finish "$ring_status"
    find_card_errors "$file"
    return 0
}

# find_card_errors FILE: into $hits, the cards of which the new lines report $trouble.
find_card_errors() {
    first_line "$1"
    [ -n "$line" ] || return 0
    [ -n "$trouble" ] || return 0
    hits=$(
        limited 5 grep -aoE "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]: .{0,40}($trouble)" \
            "$1" 2>/dev/null | sort -u
    )
}
