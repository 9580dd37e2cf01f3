# POSIX sh. Graphics cards as sysfs shows them, without a question to any SMU.

# Names of cards that blocked and are left alone; `-` for reading all in one process.
skip=

# list_cards: `card NAME PCI VENDOR:DEVICE DRIVER` for each card with a compute driver, and
# `undriven PCI VENDOR:DEVICE` for cards that are on the bus but that no driver took.
list_cards() {
    for dir in "$root"/sys/class/drm/card[0-9]*; do
        name=${dir##*/}
        # The glob also matches connectors (card1-DP-1), and itself where nothing is there.
        case ${name#card} in *[!0-9]*) continue ;; esac
        [ -d "$dir/device" ] || continue
        pci= id= driver=
        if [ -r "$dir/device/uevent" ]; then
            while IFS= read -r line || [ -n "$line" ]; do
                case $line in
                    DRIVER=*) driver=${line#*=} ;;
                    PCI_ID=*) id=${line#*=} ;;
                    PCI_SLOT_NAME=*)
                        # The last one of interest. A shell reads byte by byte: no more than needed.
                        pci=${line#*=}
                        break
                        ;;
                esac
            done <"$dir/device/uevent"
        fi
        if [ -z "$pci" ]; then
            pci=$(cd -P -- "$dir/device" && printf '%s' "${PWD##*/}")
        fi
        if [ -z "$id" ] && read_line "$dir/device/vendor"; then
            id=${got#0x}
            read_line "$dir/device/device" && id=$id:${got#0x}
        fi
        # Any other vendor is a BMC's VGA or the CPU's own graphics.
        maker_of "$id" || continue
        case ",$drivers,," in *",$driver,"*) ;; *) continue ;; esac
        # These are split into words later on.
        case $pci$id in *[!0-9a-fA-F:.]* | '') continue ;; esac
        printf 'card %s %s %s %s\n' "$name" "$pci" "$id" "${driver:--}"
    done
    for dir in "$root"/sys/bus/pci/devices/*; do
        read_line "$dir/class" || continue
        case $got in 0x03* | 0x12*) ;; *) continue ;; esac
        [ ! -e "$dir/driver" ] || continue
        read_line "$dir/vendor" || continue
        id=${got#0x}
        maker_of "$id" || continue
        read_line "$dir/device" && id=$id:${got#0x}
        printf 'undriven %s %s\n' "${dir##*/}" "$id"
    done
    return 0
}

# hex_words: stdin as two-digit hexadecimal words.
hex_words() {
    od -An -v -tx1
}

# split_card NAME,PCI,ID: into $name, $pci and $id.
split_card() {
    name=${1%%,*}
    pci=${1#*,}
    id=${pci#*,}
    pci=${pci%%,*}
}

# for_each_card FUNCTION NAME,PCI,ID…: `config NAME 02 10 ff 73` for each, then FUNCTION with $name,
# $pci, $id and $config set. Only the first four bytes are read: reading on is not harmless on
# every device. One process does it for all cards, or one for each after that has failed.
for_each_card() {
    action=$1
    shift
    [ $# -gt 0 ] || return 0
    tokens=$*
    count=$#
    words=
    case " $skip " in
        *' - '*) ;;
        *)
            printf 'try - config\n'
            for token in $tokens; do
                shift
                set -- "$@" "$root/sys/class/drm/${token%%,*}/device/config"
            done
            words=$(limited 5 head -qc 4 -- "$@" 2>/dev/null | hex_words)
            ;;
    esac
    # shellcheck disable=SC2086
    set -- $words
    if [ $# -ne $((count * 4)) ]; then set --; fi
    for token in $tokens; do
        split_card "$token"
        if [ $# -ge 4 ]; then
            config="$1 $2 $3 $4"
            shift 4
        else
            printf 'try %s config\n' "$name"
            config=$(limited 2 head -c 4 -- "$root/sys/class/drm/$name/device/config" | hex_words)
            config=${config# }
        fi
        printf 'config %s %s\n' "$name" "$config"
        "$action"
    done
}

# read_values NAME FILE…: `value NAME FILE TEXT`, or `fail NAME FILE`, which are also put into
# $unanswered. The files are such that need no SMU.
read_values() {
    card=$1
    shift
    unanswered=
    for entry in "$@"; do
        [ -e "$root/sys/class/drm/$card/device/$entry" ] || continue
        printf 'try %s %s\n' "$card" "$entry"
        if read_line "$root/sys/class/drm/$card/device/$entry"; then
            printf 'value %s %s %s\n' "$card" "$entry" "$got"
        else
            printf 'fail %s %s\n' "$card" "$entry"
            unanswered="$unanswered $entry"
        fi
    done
}

# list_kfd: `kfd PID STATE GPU_ID BYTES` for each compute process and card, and
# `kfdnode GPU_ID DOMAIN LOCATION`; STATE is the process's letter, or `gone`.
list_kfd() {
    found=
    for dir in "$root"/sys/class/kfd/kfd/proc/[0-9]*; do
        process=${dir##*/}
        for entry in "$dir"/vram_*; do
            read_line "$entry" || continue
            bytes=$got
            state=gone
            if read_line "$root/proc/$process/stat"; then
                # The name in parentheses may hold anything; the state follows the last of them.
                state=${got##*) }
                state=${state%% *}
            fi
            printf 'kfd %s %s %s %s\n' "$process" "$state" "${entry##*/vram_}" "$bytes"
            found=1
        done
    done
    [ -n "$found" ] || return 0
    for dir in "$root"/sys/class/kfd/kfd/topology/nodes/[0-9]*; do
        read_line "$dir/gpu_id" || continue
        gpu_id=$got
        [ "$gpu_id" != 0 ] || continue
        domain=0 location=
        while read -r key number; do
            case $key in
                domain) domain=$number ;;
                location_id) location=$number ;;
            esac
        done <"$dir/properties"
        printf 'kfdnode %s %s %s\n' "$gpu_id" "$domain" "$location"
    done
}
