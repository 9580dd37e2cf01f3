# POSIX sh. One look at a rig: boot, kernel log, cards, files. Frugal, bounded, harmless.
#
# The order is that of increasing risk: what needs no card first, then sysfs
# files that answer without the SMU, and only for cards that are clean so far
# one SMU read each. Never read here: debugfs amdgpu_gpu_recover (it resets the
# card), pp_dpm_*, gpu_metrics.

failed=
ask_smu=1
workdir=
ramdisk_dir=
read_limit=5
hash_limit=60
boot_id=
leave=

probe() {
    while IFS= read -r line; do
        value=${line#* }
        case $line in
            'nonce '*) nonce=$value ;;
            'boot_id '*) known_boot=$value ;;
            'cursor '*) cursor=$value ;;
            'failed '*) failed="$failed $value" ;;
            'smu '*) ask_smu=$value ;;
            'leave '*) leave="$leave $value " ;;
            'workdir '*) workdir=$value ;;
            'ramdisk_dir '*) ramdisk_dir=$value ;;
            'tool_limit '*) tool_limit=$value ;;
            'read_limit '*) read_limit=$value ;;
            'hash_limit '*) hash_limit=$value ;;
            'log_limit '*) log_limit=$value ;;
            'log_bytes '*) log_bytes=$value ;;
            'total_limit '*) total_limit=$value ;;
            'trouble '*) trouble=$value ;;
            'recall '*) recall=$value ;;
            'remember '*) remember=$value ;;
            'file '* | 'hashed '*) set -- "$@" "$line" ;;
            *) know "$line" ;;
        esac
    done
    printf '\nrunledger-probe/1 %s\n' "$nonce"
    look_at_node
    if open_scratch; then
        [ -z "$recall" ] || look_at_witness
        case $leave in *' kernel_log '*) ;; *) scan_kernel_log ;; esac
        case $leave in
            *' cards '*) ;;
            *)
                # What failed in another boot may be well now.
                if [ -n "$known_boot" ] && [ "$known_boot" != "$boot_id" ]; then failed=; fi
                late || look_at_cards
                late || ask_tools tools
                tell_unfound
                ;;
        esac
        if [ $# -gt 0 ]; then late || look_at_files "$@"; fi
        if [ -n "$ramdisk_dir" ]; then late || look_at_space; fi
        flush
    else
        printf '\n%s begin scratch\n\n%s end scratch 1\n' "$nonce" "$nonce"
    fi
    if late; then printf '\n%s begin late\n\n%s end late %s\n' "$nonce" "$nonce" "$tick"; fi
    printf '\n%s done\n' "$nonce"
}

look_at_node() {
    read_line "$root/proc/sys/kernel/random/boot_id" && boot_id=$got
    printf '\n%s begin node\nboot_id %s\n' "$nonce" "$boot_id"
    read_line "$root/proc/uptime" && printf 'uptime %s\n' "$got"
    read_line "$root/proc/sys/kernel/hostname" && printf 'hostname %s\n' "$got"
    if command -v date >/dev/null 2>&1; then printf 'clock %s\n' "$(date -u +%s.%N </dev/null)"; fi
    look_at_memory
    printf '\n%s end node 0\n' "$nonce"
}

# look_at_memory: `mem_total_kib N` and `mem_available_kib N`.
look_at_memory() {
    [ -r "$root/proc/meminfo" ] || return 0
    while read -r key value rest; do
        case $key in
            MemTotal:) printf 'mem_total_kib %s\n' "$value" ;;
            MemAvailable:)
                printf 'mem_available_kib %s\n' "$value"
                return 0
                ;;
        esac
    done <"$root/proc/meminfo"
}

look_at_cards() {
    section cards
    work "$read_limit" list_cards
    finish "$status"
    if timed_out; then return 0; fi
    tokens=
    while read -r kind name pci id driver; do
        [ "$kind" = card ] || continue
        tokens="$tokens $name,$pci,$id"
        if in_sysfs "$id"; then shown="$shown $maker"; fi
    done <"$file"
    section places
    work "$read_limit" list_places
    finish "$status"
    # Only where sysfs shows no card of theirs: what they ask is read through the SMU.
    ask_tools sysfs
    rounds=0
    while :; do
        section values
        work $((read_limit * 2 + 2)) look_at_each_card
        finish "$status"
        [ "$status" = hung ] || break
        # Leave alone the card that blocked, and go on with the others; a third one is enough.
        last_try "$file"
        skip="$skip ${tried%% *}"
        rounds=$((rounds + 1))
        flush
        [ "$rounds" -lt 3 ] || break
        late && break
    done
    asked=
    if [ -e "$scratch/ask" ]; then
        while read -r name; do
            # A second round sees the cards of the first one again.
            case " $asked " in *" $name "*) ;; *) asked="$asked $name" ;; esac
        done <"$scratch/ask"
    fi
    # shellcheck disable=SC2086
    late || ask_smus $asked
}

# In a worker: `place PATH` in the tree of the buses for each device that is no bridge.
list_places() {
    for dir in "$root"/sys/bus/pci/devices/*; do
        read_line "$dir/class" || continue
        case $got in 0x0604*) continue ;; esac
        cd -P -- "$dir" 2>/dev/null && printf 'place %s\n' "${PWD##*/sys/devices/}"
    done
    return 0
}

# last_try FILE: into $tried, what a worker was reading when it stopped.
last_try() {
    tried=
    while IFS= read -r line; do
        case $line in 'try '*) tried=${line#try } ;; esac
    done <"$1"
}

# In a worker: everything about each card that needs no SMU, and which may be asked.
look_at_each_card() {
    set --
    for token in $tokens; do
        case " $skip " in *" ${token%%,*} "*) ;; *) set -- "$@" "$token" ;; esac
    done
    for_each_card look_at_card "$@"
    list_kfd
}

# Notes NAME in the file `ask` where all is clean so far, else prints `spare NAME REASON`.
look_at_card() {
    case $config in 'ff ff ff ff' | '') return 0 ;; esac
    in_sysfs "$id" || return 0
    read_values "$name" mem_info_vram_total mem_info_vram_used unique_id product_name \
        power_dpm_force_performance_level
    why=
    case $unanswered in *mem_info*) why=no_vram_answer ;; esac
    case $hits in *"$pci: "*) why=smu_error_in_log ;; esac
    case " $failed " in *" $pci "*) why=known_as_failed ;; esac
    [ "$ask_smu" = 1 ] || why=not_wanted
    if [ -n "$why" ]; then
        printf 'spare %s %s\n' "$name" "$why"
    else
        printf '%s\n' "$name" >>"$scratch/ask"
    fi
}

# smu_file NAME: into $path, the one file of a card that is read through its SMU.
smu_file() {
    path=$root/sys/class/drm/$1/device/gpu_busy_percent
    [ ! -e "$path" ] || return 0
    for path in "$root/sys/class/drm/$1/device/hwmon"/hwmon*/temp1_input; do
        [ ! -e "$path" ] || return 0
    done
    return 1
}

# ask_smus NAME…: one read a card, one after the other in one process; a card that does
# not answer is left alone, and those behind it are asked side by side.
ask_smus() {
    names=
    for name in "$@"; do
        shift
        if smu_file "$name"; then
            set -- "$@" "$path"
            names="$names $name"
        fi
    done
    [ $# -gt 0 ] || return 0
    section smu
    for path in "$@"; do
        name=${path#"$root"/sys/class/drm/}
        printf 'asked %s %s\n' "${name%%/*}" "${path##*/}" >>"$file"
    done
    into=$scratch/smu
    run "$read_limit" 65536 cat -- "$@"
    answered=0
    while IFS= read -r line; do
        answered=$((answered + 1))
        printf 'answer %s\n' "$line" >>"$file"
    done <"$scratch/smu"
    while IFS= read -r line; do
        case $line in 'cat: '*) answered=$((answered + 1)) ;; esac
    done <"$err"
    finish "$status"
    timed_out || return 0
    flush
    late && return 0
    waiting=
    for name in $names; do
        answered=$((answered - 1))
        # Those that answered have a count of 0 or more left, the one that hung has -1.
        [ "$answered" -lt -1 ] || continue
        smu_file "$name" || continue
        section smu1
        printf 'asked %s %s\nanswer ' "$name" "${path##*/}" >>"$file"
        start "$read_limit" 4096 cat -- "$path"
        waiting="$waiting $order:$pid"
    done
    first_tick=$tick
    for entry in $waiting; do
        title=smu1
        file=$scratch/s${entry%:*}
        err=$file.err
        await "${entry#*:}" $((read_limit + 2 - (tick - first_tick)))
        finish "$status"
    done
}

# tell_unfound: `unfound TOOL` for each tool that is not on the PATH of this session.
tell_unfound() {
    section tools
    for name in $unfound; do printf 'unfound %s\n' "$name" >>"$file"; done
    finish 0
}

look_at_files() {
    hashes=0
    for entry in "$@"; do case $entry in 'hashed '*) hashes=$((hashes + 1)) ;; esac; done
    section files
    work $((read_limit * 2 + hash_limit * hashes + 2)) check_files "$@"
    finish "$status"
}

# In a worker: `present N [BYTES]` or `absent N` for the N-th file asked about, `hash N SHA256`.
# One that may not be read is as good as absent; `denied N` says why.
check_files() {
    if [ -n "$workdir" ]; then cd -- "$root$workdir" || :; fi
    number=0
    count=$#
    here=
    hashing=
    while [ "$number" -lt "$count" ]; do
        entry=$1
        shift
        path=${entry#* }
        case $path in /*) path=$root$path ;; esac
        printf 'try %s\n' "$number"
        if [ -f "$path" ] && [ -r "$path" ]; then
            here="$here $number"
            set -- "$@" "$path"
            case $entry in 'hashed '*) hashing="$hashing $number" ;; esac
        else
            [ ! -f "$path" ] || printf 'denied %s\n' "$number"
            printf 'absent %s\n' "$number"
        fi
        number=$((number + 1))
    done
    [ $# -gt 0 ] || return 0
    printf 'try %s\n' "${here# }"
    sizes=
    count=0
    for size in $(limited "$read_limit" stat -L -c %s -- "$@"); do
        sizes="$sizes$size "
        count=$((count + 1))
    done
    # One file gone in between: which size is whose is no longer known.
    [ "$count" -eq $# ] || sizes=
    here="${here# } "
    for path in "$@"; do
        number=${here%% *}
        here=${here#* }
        printf 'present %s %s\n' "$number" "${sizes%% *}"
        sizes=${sizes#* }
        case " $hashing " in
            *" $number "*)
                printf 'try %s\n' "$number"
                sum=$(limited "$hash_limit" sha256sum -- "$path")
                # A backslash leads where the name had to be escaped.
                sum=${sum#\\}
                printf 'hash %s %s\n' "$number" "${sum%% *}"
                ;;
        esac
    done
}

look_at_space() {
    section space
    run "$read_limit" 65536 df -Pk -- "$root$ramdisk_dir"
    finish "$status"
}
