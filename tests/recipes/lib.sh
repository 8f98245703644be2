# What the checks of recipes are written with. A check is a line of TAP: "ok" or "not ok", the
# recipe, what must be so; what was seen follows a failure.
# shellcheck shell=bash
set -um

# Seconds that something which must come about may take.
patience=${PATIENCE:-60}
failures=0
seen=$(mktemp)

# result STATUS TEXT
result() {
  if [ "$1" = 0 ]; then
    echo "ok $RECIPE: $2"
  else
    echo "not ok $RECIPE: $2"
    tail -n 40 "$seen" | sed 's/^/# /'
    failures=$((failures + 1))
  fi
}

# check TEXT COMMAND…: must succeed now.
check() {
  local text=$1
  shift
  "$@" >"$seen" 2>&1
  result $? "$text"
}

# refuse TEXT COMMAND…: must fail, but not by a signal or for want of the command.
refuse() {
  local text=$1 status
  shift
  "$@" >"$seen" 2>&1
  status=$?
  echo "exit status $status" >>"$seen"
  [ "$status" -ge 1 ] && [ "$status" -lt 125 ]
  result $? "$text"
}

# soon TEXT COMMAND…: must succeed while patience lasts.
soon() {
  local text=$1 status end=$((SECONDS + patience))
  shift
  until "$@" >"$seen" 2>&1; do
    status=$?
    [ "$SECONDS" -lt "$end" ] || break
    status=0
    sleep 0.2
  done
  result "${status:-0}" "$text"
}

# skip TEXT REASON: says loudly what this machine cannot show.
skip() { echo "ok $RECIPE: $1 # SKIP $2"; }

# start COMMAND…: in the background; stop: ends the last one, with all it started.
start() { "$@" >/dev/null 2>&1 & started=$!; }
stop() { kill -- "-$started" && wait "$started"; } 2>/dev/null

# The recipe's end, called by the runner.
finish() { [ "$failures" = 0 ] && exit 0 || exit 1; }
