# What scenarios are written with. A check is a line of TAP: "ok" or "not ok", the scenario, what
# must be so; what was seen follows a failure.
# shellcheck shell=bash
set -u

# Seconds that something which must come about may take. The emulated machine is slow.
[[ $LANE == *vm ]] && patience=90 || patience=30
# The same for one exchange of traffic, of which many fail in the reference.
[ "$LANE" = reference ] && PATIENCE=5 || PATIENCE=$patience
export PATIENCE
failures=0
seen=$(mktemp)

# result STATUS TEXT: prints the line, and where the time went if it was long.
told=$SECONDS
result() {
  [ $((SECONDS - told)) -lt 10 ] || echo "# $((SECONDS - told)) seconds:"
  told=$SECONDS
  if [ "$1" = 0 ]; then
    echo "ok $SCENARIO: $2"
  else
    echo "not ok $SCENARIO: $2"
    tail -n 25 "$seen" | sed 's/^/# /'
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

# refuse TEXT COMMAND…: must fail, but not by a signal or for want of what it is tried on.
refuse() {
  local text=$1 status
  shift
  "$@" >"$seen" 2>&1
  status=$?
  echo "exit status $status" >>"$seen"
  [ "$status" -ge 1 ] && [ "$status" -lt 128 ] && ! grep -qE 'not (be )?found|No such file' "$seen"
  result $? "$text"
}

# soon TEXT COMMAND…: must come true while patience lasts.
soon() {
  local text=$1 limit=$patience status end
  shift
  # What the reference is known to fail is not waited for.
  ! grep -qsxF "$SCENARIO: $text" /e2e/fails || limit=2
  end=$((SECONDS + limit))
  until "$@" >"$seen" 2>&1; do
    status=$?
    [ "$SECONDS" -lt "$end" ] || break
    status=0
    sleep 0.2
  done
  [ "${status:=0}" = 0 ] || echo "exit status $status, for $limit seconds" >>"$seen"
  result "$status" "$text"
}

# same TEXT WANTED SEEN: two texts must be equal, and there.
same() {
  printf 'wanted: %s\nseen:   %s\n' "$2" "$3" >"$seen"
  [ -n "$2" ] && [ "$2" = "$3" ]
  result $? "$1"
}

# differ TEXT ONE OTHER: two texts must not be equal, and neither be empty.
differ() {
  printf 'both: %s\n' "$2" >"$seen"
  [ -n "$2" ] && [ -n "$3" ] && [ "$2" != "$3" ]
  result $? "$1"
}

# only_vm TEXT: whether this lane has all kinds of links; if not, says loudly what is left out.
only_vm() {
  [[ $LANE == *vm ]] && return 0
  echo "ok $SCENARIO: $1 # SKIP this kernel has no dummy links: vm only"
  return 1
}

# The scenario's end, called by the runner.
finish() { [ "$failures" = 0 ] && exit 0 || exit 1; }

# The next boot goes on with this scenario, at the next stage. Either it leaves with again_after_boot,
# then the runner ends this boot in order; or it calls cut_power and goes on until the power goes.
remember_stage() {
  echo "$SCENARIO $((STAGE + 1))" >/e2e/resume
  [ "$failures" = 0 ] || touch /e2e/failed
  sync
}
again_after_boot() { remember_stage; exit 0; }
cut_power() { remember_stage; echo "E2E-CUT"; }

# Whether each unit is active; `systemctl is-active` alone is content with any.
active() {
  systemctl is-active "$@" | grep -vx active || return 0
  systemctl --no-pager status "$@"
  return 1
}
inactive() {
  local unit
  for unit in "$@"; do
    [ "$(systemctl is-active "$unit")" = inactive ] || { systemctl --no-pager status "$unit"; return 1; }
  done
}

# inside NAME COMMAND…: in the network namespace only, whoever made it; "default" is here.
inside() {
  local name=$1
  shift
  if [ "$name" = default ]; then "$@"; else nsenter --net="/run/netns/$name" -- "$@"; fi
}

# The namespace's identity, of the name and of a service's main process.
inode_of() { stat -L -c %i "/run/netns/$1"; }
inode_of_service() { stat -L -c %i "/proc/$(systemctl show -P MainPID "$1")/ns/net"; }
inodes_agree() {
  echo "$2: $(inode_of "$2"), $1: $(inode_of_service "$1")"
  [ -n "$(inode_of "$2")" ] && [ "$(inode_of "$2")" = "$(inode_of_service "$1")" ]
}

# bring_up NAME: a new declaration comes up, as after an installation.
bring_up() { systemctl daemon-reload && systemctl start "netns-$1.service"; }

# take_down NAME: it goes, so that the next scenario finds the machine as the boot left it.
take_down() {
  systemctl stop "netns-$1.service"
  rm -f "/etc/netnsctl/$1.toml"
  systemctl daemon-reload
  systemctl reset-failed
}

# join SERVICE NAME: a service that does nothing, in the namespace and its view.
join() {
  mkdir -p "/etc/systemd/system/$1.d"
  # "exec": it has started once it is in the namespace and runs, not as soon as it is forked.
  printf '[Service]\nType=exec\nExecStart=sleep infinity\n' >"/etc/systemd/system/$1"
  service_config "$2" >"/etc/systemd/system/$1.d/netns.conf"
  systemctl daemon-reload
  systemctl start "$1"
}
leave() {
  systemctl stop "$1"
  rm -r "/etc/systemd/system/$1" "/etc/systemd/system/$1.d"
}
# as_service SERVICE COMMAND…: seen as the service's main process sees it.
as_service() {
  local pid
  pid=$(systemctl show -P MainPID "$1")
  shift
  [ "$pid" != 0 ] && nsenter --target "$pid" --mount --net -- "$@"
}

# restarted SERVICE PID: whether it runs, and not as that process any more.
pid_of() { systemctl show -P MainPID "$1"; }
restarted() {
  echo "process of $1: $(pid_of "$1"), was $2"
  [ "$(pid_of "$1")" != 0 ] && [ "$(pid_of "$1")" != "$2" ]
}
absent() { ! find "$@" -maxdepth 3; }

# has_address NAMESPACE LINK ADDRESS/LENGTH
has_address() {
  local addresses
  addresses=$(inside "$1" ip -o address show dev "$2" 2>&1)
  echo "$addresses"
  grep -E "inet6? $3 " <<<"$addresses" | grep -qv tentative
}

# A server that says who it is: in the namespace $1, what else traffic.py serve takes. It is ready
# when this returns, and ends with the scenario.
serve() {
  local name=$1 ready
  shift
  ready=$(mktemp -u)
  mkfifo "$ready"
  inside "$name" python3 -IS /e2e/traffic.py serve "$@" >"$ready" &
  helpers+=("$!")
  read -r _ <"$ready"
}
helpers=()
trap 'kill "${helpers[@]}" 2>/dev/null; rm -f "$seen"' EXIT

# hold NAMESPACE ADDRESS PORT: opens a connection that stays. still_open WORD:
# whether it is the same one and the server WORD answers on it.
hold() {
  local name=$1
  shift
  held=$(mktemp -u)
  mkfifo "$held" "$held.answers"
  inside "$name" python3 -IS /e2e/traffic.py hold "$@" "$held" >"$held.answers" &
  helpers+=("$!")
  exec 7<"$held.answers"
  read -r -t "$patience" _ held_port <&7
}
still_open() {
  local word port
  # A pipe that nobody reads any more would keep the writer for ever.
  echo again | timeout "$patience" tee "$held" && read -r -t "$patience" word port <&7
  echo "answer: ${word-} from port ${port-}, was ${held_port-}"
  [ "${word-}" = "$1" ] && [ "$port" = "$held_port" ]
}

# talk NAMESPACE PROTOCOL ADDRESS PORT: what the server there calls itself.
talk() {
  local name=$1
  shift
  inside "$name" python3 -IS /e2e/traffic.py talk "$@"
}
# answers WANTED NAMESPACE PROTOCOL ADDRESS PORT
answers() {
  local wanted=$1 answer
  shift
  answer=$(talk "$@" 2>&1)
  echo "answer: $answer"
  [ "$answer" = "$wanted" ]
}
