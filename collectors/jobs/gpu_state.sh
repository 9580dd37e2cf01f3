# POSIX sh. A card, or all cards of this machine, at the moment a job failed.
#
# The job may have failed because of its card: no SMU is asked for anything here,
# and nothing is read but what the driver answers by itself.

wanted=
read_limit=1
tool_limit=2

gpu_state() {
    while IFS= read -r line; do
        value=${line#* }
        case $line in
            'nonce '*) nonce=$value ;;
            'wanted '*) wanted=$value ;;
            *) know "$line" ;;
        esac
    done
    printf '\nrunledger-gpu-state/1 %s\n' "$nonce"
    if open_scratch; then
        look_at_cards
        # Of vendors whose drivers show nothing in sysfs.
        ask_tools tools
        flush
    fi
    printf '\n%s done\n' "$nonce"
}

look_at_cards() {
    section cards
    work "$read_limit" list_cards
    finish "$status"
    if timed_out; then return 0; fi
    set --
    while read -r kind name pci id driver; do
        [ "$kind" = card ] || continue
        case $wanted in '' | "$pci") set -- "$@" "$name,$pci,$id" ;; esac
    done <"$file"
    section values
    work "$read_limit" for_each_card look_at_card "$@"
    finish "$status"
}

look_at_card() {
    case $config in 'ff ff ff ff' | '') return 0 ;; esac
    in_sysfs "$id" || return 0
    read_values "$name" mem_info_vram_total mem_info_vram_used
    printf 'spare %s not_wanted\n' "$name"
}
