# POSIX sh. Cleans up on a rig after a batch: looks, acts only where needed, looks again.
#
# It never sends a word to an SMU that may be dead: cards off the bus and cards
# that the caller names are left alone. It removes nothing but the caches it
# knows by name, kills no process and resets no card. With `dry_run 1` it only
# looks.

spared=
dry_run=0
sudo=0
remedies=
read_limit=5

cleanup() {
    while IFS= read -r line; do
        value=${line#* }
        case $line in
            'nonce '*) nonce=$value ;;
            'spare '*) spared="$spared $value" ;;
            'dry_run '*) dry_run=$value ;;
            'sudo '*) sudo=$value ;;
            'remedy '*) remedies="$remedies $value" ;;
            'read_limit '*) read_limit=$value ;;
            'total_limit '*) total_limit=$value ;;
            *) know "$line" ;;
        esac
    done
    printf '\nrunledger-cleanup/1 %s\n' "$nonce"
    if open_scratch; then
        late || clean_cards
        late || clean_caches
        flush
    else
        printf '\n%s begin scratch\n\n%s end scratch 1\n' "$nonce" "$nonce"
    fi
    if late; then printf '\n%s begin late\n\n%s end late %s\n' "$nonce" "$nonce" "$tick"; fi
    printf '\n%s done\n' "$nonce"
}

clean_cards() {
    section cards
    work "$read_limit" list_cards
    finish "$status"
    timed_out && return 0
    cards=$file
    section values
    work $((read_limit * 2 + 2)) look_at_each_card
    finish "$status"
    # The cards that need an act, each in a child of its own: a write goes to the driver.
    manual=
    while read -r kind name rest; do
        [ "$kind" != manual ] || manual="$manual $name"
    done <"$file"
    for name in $manual; do
        late && break
        section levels
        printf 'try %s power_dpm_force_performance_level\n' "$name" >>"$file"
        work "$read_limit" reset_level "$name"
        finish "$status"
    done
}

look_at_each_card() {
    set --
    while read -r kind name pci id driver; do
        [ "$kind" = card ] && in_sysfs "$id" && set -- "$@" "$name,$pci,$id"
    done <"$cards"
    for_each_card look_at_card "$@"
    list_kfd
}

look_at_card() {
    case $config in 'ff ff ff ff' | '') return 0 ;; esac
    case " $spared " in
        *" $pci "*)
            # Reading the memory counters needs no SMU; the level would wake the card.
            printf 'spare %s\n' "$name"
            read_values "$name" mem_info_vram_used
            return 0
            ;;
    esac
    read_values "$name" mem_info_vram_used power_dpm_force_performance_level
    level_file=$root/sys/class/drm/$name/device/power_dpm_force_performance_level
    case $unanswered in *power_dpm*) return 0 ;; esac
    if [ -e "$level_file" ] && [ "$got" != auto ]; then printf 'manual %s %s\n' "$name" "$got"; fi
}

# In a worker: `wrote NAME` or `refused NAME`, then `level NAME TEXT` as read back.
reset_level() {
    level_file=$root/sys/class/drm/$1/device/power_dpm_force_performance_level
    if [ "$dry_run" = 1 ]; then
        printf 'would %s\n' "$1"
        return 0
    fi
    if [ -w "$level_file" ] && printf 'auto\n' >"$level_file"; then
        printf 'wrote %s\n' "$1"
    elif [ "$sudo" = 1 ] && command -v sudo >/dev/null 2>&1 &&
        printf 'auto\n' | (limited "$read_limit" sudo -n tee -- "$level_file") >/dev/null; then
        printf 'wrote %s\n' "$1"
    else
        printf 'refused %s\n' "$1"
    fi
    read_line "$level_file" && printf 'level %s %s\n' "$1" "$got"
}

clean_caches() {
    section caches
    work "$((read_limit * 4))" remove_caches
    finish "$status"
}

# In a worker: `cache KIND BEFORE AFTER`, the numbers of entries; or `would KIND BEFORE`.
remove_caches() {
    case ${HOME:-} in
        /?*) ;;
        *)
            printf 'nohome\n'
            return 0
            ;;
    esac
    set -- "$HOME"/.cache/hip_*
    clean_cache hip_cache "$@"
    for remedy in $remedies; do
        case $remedy in
            # The real compile caches: costly to lose, so only where asked for by name.
            comgr) set -- "$HOME"/.cache/comgr ;;
            miopen) set -- "$HOME"/.cache/miopen ;;
            *) continue ;;
        esac
        clean_cache "${remedy}_cache" "$@"
    done
}

clean_cache() {
    kind=$1
    shift
    count_existing "$@"
    before=$existing
    if [ "$dry_run" = 1 ]; then
        printf 'would %s %s\n' "$kind" "$before"
        return 0
    fi
    after=0
    if [ "$before" -gt 0 ]; then
        (limited "$((read_limit * 3))" rm -rf -- "$@")
        count_existing "$@"
        after=$existing
    fi
    printf 'cache %s %s %s\n' "$kind" "$before" "$after"
}

count_existing() {
    existing=0
    for entry in "$@"; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then existing=$((existing + 1)); fi
    done
}
