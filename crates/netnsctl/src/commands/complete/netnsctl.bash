# Completion of netnsctl for bash. What can follow is asked of the program itself.

_netnsctl() {
    local word last prefix value line kind quoted i glue=
    local -a words=() starts=() answer=()
    # Words come apart at "=" and ":"; here they are put together again.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -gt 0 && $word =~ ^[=:]+$ ]]; then
            words[${#words[@]}-1]+=$word
            glue=1
        elif [[ $glue ]]; then
            words[${#words[@]}-1]+=$word
            glue=
        else
            words+=("$word")
            starts+=("$i")
        fi
    done
    last=${COMP_WORDS[COMP_CWORD]}
    [[ $last =~ ^[=:]+$ ]] && last=
    prefix=${words[${#words[@]}-1]%"$last"}
    # Without what quotes them.
    words=("${words[@]//[\\\"\']/}")

    mapfile -t answer < <(command netnsctl complete -- "${words[@]}" 2>/dev/null)
    kind=${answer[0]-}
    value=${last#--*=}
    COMPREPLY=()
    case $kind in
        configs)
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do
                [[ -d ${line/#\~\//$HOME/} || $line == *.toml || $line == *.json ]] && COMPREPLY+=("$line")
            done < <(compgen -f -- "$value")
            ;;
        files)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            ;;
        folders)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$value")
            ;;
        command\ *)
            i=${kind#command }
            if declare -F _command_offset >/dev/null; then
                _command_offset "${starts[i]}"
            elif ((i == ${#words[@]} - 1)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$last")
            else
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$last")
            fi
            ;;
        words)
            for line in "${answer[@]:1}"; do
                word=${line%%$'\t'*}
                word=${word#"$prefix"}
                if [[ $last == [\"\']* ]]; then
                    quoted=$word
                else
                    printf -v quoted %q "$word"
                fi
                COMPREPLY+=("$quoted")
            done
            ;;
    esac
}

complete -F _netnsctl netnsctl
