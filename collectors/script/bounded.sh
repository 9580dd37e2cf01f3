# POSIX sh. Runs commands that may never come back, and frames what they say.
#
# Rules it keeps: every command runs in a child of its own under a hard limit;
# one that cannot be killed (state D) is left alone and reported as `hung`;
# nothing but this shell writes to its stdout, so that a stuck child cannot
# hold the SSH channel open; file sizes are capped by the kernel (ulimit -f);
# text from data is never evaluated. Frames carry a nonce of the caller's, so
# that no file's content can forge one.
#
# Nothing runs before the last line of the composed script has been read.

set -u
LC_ALL=C
export LC_ALL
umask 077
# For tests only: a folder that stands for the machine's / .
root=${RUNLEDGER_ROOT:-}
if [ -z "$root" ]; then
    # A non-interactive SSH session often has none of these.
    PATH=${PATH:-/usr/bin:/bin}:/opt/rocm/bin:/usr/local/sbin:/usr/sbin:/sbin
fi

nonce=
scratch=
ticker=
tick=0
order=100
status=0
# Seconds after which no further stage is begun.
total_limit=45
trap 'tick=$((tick + 1))' ALRM

# open_scratch: a private folder for outputs, and a clock that interrupts `wait` every second.
open_scratch() {
    for parent in "${TMPDIR:-/tmp}" /tmp /dev/shm; do
        scratch=$(mktemp -d "$parent/runledger.XXXXXXXX" 2>/dev/null </dev/null) && break
    done
    [ -n "$scratch" ] || return 1
    trap close_scratch EXIT
    trap 'exit 1' HUP INT TERM PIPE
    main=$$
    ( while sleep 1; do kill -ALRM "$main" || exit; done ) >/dev/null 2>&1 </dev/null &
    ticker=$!
}

close_scratch() {
    [ -z "$ticker" ] || kill "$ticker" 2>/dev/null
    [ -z "$scratch" ] || rm -rf -- "$scratch" </dev/null
}

late() {
    [ "$tick" -ge "$total_limit" ]
}

# section TITLE: the next outputs go to a section of this title (and TITLE.err).
section() {
    order=$((order + 1))
    title=$1
    file=$scratch/s$order
    err=$file.err
    into=$file
    printf '\n%s begin %s\n' "$nonce" "$title" >>"$file"
    printf '\n%s begin %s.err\n' "$nonce" "$title" >>"$err"
}

# finish STATUS: closes the section.
finish() {
    printf '\n%s end %s %s\n' "$nonce" "$title" "$1" >>"$file"
    printf '\n%s end %s.err %s\n' "$nonce" "$title" "$1" >>"$err"
}

# flush: sends all finished sections. Late writers of a hung section write outside any frame.
flush() {
    cat "$scratch"/s[0-9]* 2>/dev/null </dev/null
    rm -f "$scratch"/s[0-9]* </dev/null
}

# first_line FILE: into $line, the first line of a section's content; empty where there is none.
first_line() {
    line=
    { IFS= read -r line && IFS= read -r line && IFS= read -r line; } <"$1" || :
}

# limited SECONDS COMMAND…: only in a subshell, which it replaces.
limited() {
    seconds=$1
    shift
    if command -v timeout >/dev/null 2>&1; then
        exec timeout -k 1 "$seconds" "$@"
    fi
    "$@" &
    child=$!
    (
        sleep "$seconds"
        kill -TERM "$child"
        sleep 1
        kill -KILL "$child"
    ) >/dev/null 2>&1 </dev/null &
    guard=$!
    wait "$child"
    code=$?
    kill "$guard" 2>/dev/null
    case $code in 137 | 143) code=124 ;; esac
    exit "$code"
}

# start SECONDS BYTES COMMAND…: begins it in the background, capped; its id in $pid.
start() {
    allowed=$1
    blocks=$(($2 / 512 + 1))
    shift 2
    (
        ulimit -c 0
        ulimit -f "$blocks"
        limited "$allowed" "$@"
    ) >>"$into" 2>>"$err" </dev/null &
    pid=$!
}

# await PID SECONDS: its exit status in $status, or `hung` where it did not come back.
await() {
    last_tick=$((tick + $2 + 1))
    while :; do
        wait "$1" 2>/dev/null
        status=$?
        # Interrupted by the clock, the child is still there; a finished one has been reaped.
        kill -0 "$1" 2>/dev/null || return 0
        [ "$tick" -lt "$last_tick" ] || break
    done
    # In state D even this does nothing; then it is left alone.
    kill -KILL "$1" 2>/dev/null
    status=hung
    return 1
}

# run SECONDS BYTES COMMAND…: start and await. The margin is for timeout's own kill.
run() {
    run_limit=$1
    start "$@"
    await "$pid" $((run_limit + 2))
}

# work SECONDS FUNCTION…: the same for a function of ours, which reads files that may block.
work() {
    work_limit=$1
    shift
    (
        ulimit -c 0
        ulimit -f 2048
        "$@"
    ) >>"$into" 2>>"$err" </dev/null &
    await "$!" "$work_limit"
}

# timed_out: whether $status says that a command did not come back in time.
timed_out() {
    case $status in 124 | 137 | hung) return 0 ;; esac
    return 1
}

# read_line FILE: its first line in $got.
read_line() {
    got=
    [ -r "$1" ] || return 1
    IFS= read -r got 2>/dev/null <"$1" || [ -n "$got" ]
}
