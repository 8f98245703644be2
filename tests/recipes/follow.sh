# Does what a README tells, so that what it tells is true. Wants $seen, $patience and `result`
# of a lib.sh.
# shellcheck shell=bash disable=SC2154

# The ```console blocks below the heading $2 of the file $1, down to the next heading.
console_of() {
  awk -v heading="$2" '
    /^```/ { inside = (!inside && $0 == "```console" && wanted); if (!inside) fence = !fence; else fence = 1; next }
    /^#+ / && !fence { wanted = ($0 ~ ("^#+ " heading "$")) }
    inside { print }
  ' "$1"
}

# Whether the text $1 is what the README shows, $2: spaces count as one, and "..." is anything.
shown() {
  local text wanted
  text=$(tr -s ' \t' ' ' <<<"$1" | sed 's/ $//')
  wanted=$(tr -s ' \t' ' ' <<<"$2" | sed 's/ $//' | sed -e 's/[][\\*?]/\\&/g' -e 's/\.\.\./*/g')
  # shellcheck disable=SC2053 # a pattern
  [[ $text == $wanted ]]
}

# Types one command and waits for what it shows: one that ends in "&" goes on in the background,
# another one is typed again until it shows what it must.
type_command() {
  local command=$1 wanted=$2 output status=0 end=$((SECONDS + patience))
  case $command in
    *'&')
      output=$(mktemp)
      # It may say more later.
      wanted+=...
      eval "{ ${command%&}; } >'$output' 2>&1 &"
      background=$!
      until shown "$(<"$output")" "$wanted" || [ "$SECONDS" -ge "$end" ] || ! kill -0 "$background"; do
        sleep 0.1
      done 2>/dev/null
      cp "$output" "$seen"
      rm "$output"
      shown "$(<"$seen")" "$wanted"
      ;;
    *)
      while :; do
        eval "$command" >"$seen" 2>&1
        status=$?
        # A command that shows nothing did its work the first time, or never will.
        [ -n "$wanted" ] || break
        if shown "$(<"$seen")" "$wanted" || [ "$SECONDS" -ge "$end" ]; then break; fi
        sleep 0.2
      done
      echo "exit status $status" >>"$seen"
      [ "$status" = 0 ] && shown "$(sed '$d' "$seen")" "$wanted"
      ;;
  esac
  status=$?
  [ "$status" = 0 ] || printf 'wanted:\n%s\n' "$wanted" >>"$seen"
  result "$status" "$command"
}

# follow HEADING…: types the commands below these headings of README.md, as whoever this is.
follow() {
  local heading line command wanted typed
  for heading in "$@"; do
    command='' wanted='' typed=0
    while IFS= read -r line <&8; do
      if [[ $line == '# '* || $line == '$ '* ]]; then
        [ -z "$command" ] || type_command "$command" "$wanted"
        command=${line:2} wanted='' typed=$((typed + 1))
      elif [[ $command == *\\ ]]; then
        command=${command%\\}${line#"${line%%[! ]*}"}
      else
        wanted+=${wanted:+$'\n'}$line
      fi
    done 8< <(console_of README.md "$heading")
    [ -z "$command" ] || type_command "$command" "$wanted"
    [ "$typed" -gt 0 ] || { echo "no command" >"$seen"; result 1 "README.md has \"$heading\""; }
  done
}
