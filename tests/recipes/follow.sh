# Does what a README tells, so that what it tells is true. Wants $seen, $patience and `result`
# of a lib.sh.
# shellcheck shell=bash disable=SC2154

# The page that is followed, and the commands that stay in a terminal of their own, as patterns. A
# command that ends in "&" always does.
page=README.md
stay_open=()

# The ```$3 blocks below the heading $2 of the file $1, down to the next heading.
blocks_of() {
  awk -v heading="$2" -v kind="$3" '
    /^```/ { inside = (!inside && ($0 " ") ~ ("^```" kind " ") && wanted); if (!inside) fence = !fence; else fence = 1; next }
    /^#+ / && !fence { wanted = ($0 ~ ("^#+ " heading "$")) }
    inside { print }
  ' "$1"
}

# Whether the text $1 is what the README shows, $2: spaces count as one, carriage returns as none, and
# "..." is anything.
shown() {
  local text wanted
  text=$(tr -d '\r' <<<"$1" | tr -s ' \t' ' ' | sed 's/ $//')
  wanted=$(tr -s ' \t' ' ' <<<"$2" | sed 's/ $//' | sed -e 's/[][\\*?]/\\&/g' -e 's/\.\.\./*/g')
  # shellcheck disable=SC2053 # a pattern
  [[ $text == $wanted ]]
}

# Whether the command $1 goes on in the background.
stays_open() {
  local pattern
  for pattern in '*&' "${stay_open[@]}"; do
    # shellcheck disable=SC2053 # a pattern
    [[ $1 != $pattern ]] || return 0
  done
  return 1
}

# Types one command and waits for what it shows: one that stays open goes on in the background, another
# one is typed again until it shows what it must.
type_command() {
  local command=$1 wanted=$2 output status=0 end=$((SECONDS + patience))
  if stays_open "$command"; then
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
  else
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
  fi
  status=$?
  [ "$status" = 0 ] || printf 'wanted:\n%s\n' "$wanted" >>"$seen"
  result "$status" "$command"
}

# follow HEADING…: types the commands below these headings of the page, as whoever this is.
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
    done 8< <(blocks_of "$page" "$heading" console)
    [ -z "$command" ] || type_command "$command" "$wanted"
    [ "$typed" -gt 0 ] || { echo "no command" >"$seen"; result 1 "$page has \"$heading\""; }
  done
}
