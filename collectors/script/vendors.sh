# POSIX sh. Which cards are whose, and which tools tell of them: nothing of any vendor is
# written here, all of it comes as data lines `vendor …` and `tool …`.

# One word a vendor and spelling of its id: NAME:PCI_ID:sysfs|tools:DRIVER,DRIVER
vendors=
# One line a command: NAME RANK TITLE COMMAND…
tools=
# Vendors of which a card was listed, and commands that were not found.
shown=
unfound=
tool_limit=10

# know LINE: takes a data line, where it is one about vendors.
know() {
    case $1 in
        'vendor '*) vendors="$vendors ${1#vendor }" ;;
        'tool '*) tools="$tools${1#tool }
" ;;
    esac
}

# maker_of PCI_ID: into $maker, $answers and $drivers; fails where the vendor is none known.
maker_of() {
    for entry in $vendors; do
        maker=${entry%%:*}
        entry=${entry#*:}
        case $1 in "${entry%%:*}" | "${entry%%:*}":*) ;; *) continue ;; esac
        entry=${entry#*:}
        answers=${entry%%:*}
        drivers=${entry#*:}
        return 0
    done
    return 1
}

# in_sysfs PCI_ID: whether the driver's files answer for such a card.
in_sysfs() {
    maker_of "$1" && [ "$answers" = sysfs ]
}

# ask_tools sysfs|tools: those of all vendors of this kind, but not of one that sysfs has shown.
ask_tools() {
    printf '%s' "$tools" >"$scratch/tools"
    done_with=$shown
    for entry in $vendors; do
        name=${entry%%:*}
        case $entry in *":$1:"*) ;; *) continue ;; esac
        # A vendor whose id has letters is listed twice.
        case " $done_with " in *" $name "*) continue ;; esac
        done_with="$done_with $name"
        ask_tools_of "$name"
    done
}

# ask_tools_of VENDOR: by rank; the next one only where the one before told of no card.
ask_tools_of() {
    settled=
    broken=
    while read -r maker rank tool_title command; do
        [ "$maker" = "$1" ] || continue
        [ "$rank" = "${settled:-$rank}" ] || return 0
        [ "$rank" != "$broken" ] || continue
        if ! command -v "${command%% *}" >/dev/null 2>&1; then
            broken=$rank
            unfound="$unfound ${command%% *}"
            continue
        fi
        section "$tool_title"
        # Words of ours, without spaces in them.
        # shellcheck disable=SC2086
        run "$tool_limit" 1048576 $command
        finish "$status"
        [ "$status" = 0 ] || broken=$rank
        first_line "$file"
        # A list that ends with an error names the card in trouble; after a tool that hung, no
        # second one is set on the same driver.
        case $status,$line in
            0,* | 124,* | 137,* | hung,* | *,*,*) settled=$rank ;;
        esac
    done <"$scratch/tools"
}
