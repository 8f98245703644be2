#compdef netnsctl
# Completion of netnsctl for zsh. What can follow is asked of the program itself.

_netnsctl() {
    local -a answer items
    local line count
    answer=("${(@f)$(command netnsctl complete -- \
        "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case $answer[1] in
        (configs)
            compset -P '--*='
            _files -g '*.(toml|json)'
            ;;
        (files)
            compset -P '--*='
            _files
            ;;
        (folders)
            compset -P '--*='
            _files -/
            ;;
        (command *)
            count=${answer[1]#command }
            shift $count words
            ((CURRENT -= count))
            _normal -p netnsctl
            ;;
        (words)
            for line in "${(@)answer[2,-1]}"; do
                items+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
            done
            _describe netnsctl items
            ;;
    esac
}

if [[ $funcstack[1] == _netnsctl ]]; then
    _netnsctl "$@"
else
    compdef _netnsctl netnsctl
fi
