# Completion of netnsctl for fish. What can follow is asked of the program itself.

function __netnsctl_complete
    # Without what quotes it, unless a quote is still open.
    set -l typed (commandline -ct)
    set -l current (string unescape -- "$typed"; or string replace -r -- '^["\']' '' "$typed")
    set -l answer (command netnsctl complete -- (commandline -opc) "$current" 2>/dev/null)
    set -l prefix (string match -r -- '^--[^=]*=' "$current")
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    switch "$answer[1]"
        case configs files
            string replace -r -- '^' "$prefix" (__fish_complete_path "$value")
        case folders
            string replace -r -- '^' "$prefix" (__fish_complete_directories "$value")
        case 'command *'
            __fish_complete_subcommand --fcs-skip=(string replace 'command ' '' "$answer[1]")
        case words
            printf '%s\n' $answer[2..-1]
    end
end

complete -c netnsctl -f -a '(__netnsctl_complete)'
