# Fifty namespaces, and the power goes while they are being made; the next boot is clean.
# shellcheck shell=bash
names=()
for number in $(seq 1 50); do names+=("many$number"); done

if [ "$STAGE" = 1 ]; then
  for name in "${names[@]}"; do
    printf '[netns.%s]\naddress = ["10.50.%s.1/24"]\n' "$name" "${name#many}"
    # All their parts for ten of them: emulated, each process takes long.
    if [ "${name#many}" -le 10 ]; then
      printf '[[netns.%s.veth]]\n' "$name"
    else
      printf '[netns.%s.nscd]\nenable = false\n' "$name"
    fi
  done | declare_file many
  systemctl daemon-reload
  for name in "${names[@]}"; do systemctl start --no-block "netns-$name.service"; done
  ten() { [ "$(find /run/netns -name 'many*' | wc -l)" -ge 10 ]; }
  soon "ten namespaces are there when the power goes" ten
  cut_power
  # It goes while all that is still coming up, or while it goes and comes again.
  while true; do
    systemctl stop "netns-many*.service"
    for name in "${names[@]}"; do systemctl start --no-block "netns-$name.service"; done
    sync
  done
fi

services=()
for name in "${names[@]}"; do services+=("netns-$name.service" "netns-$name-mntns.service"); done
for name in "${names[@]:0:10}"; do services+=("netns-$name-nscd.service" "netns-$name-extra-veth-1-default.service"); done
check "all services of 50 namespaces are active" active "${services[@]}"
failed() { systemctl --failed --no-legend --plain; [ -z "$(systemctl --failed --no-legend --plain)" ]; }
check "no unit has failed" failed
addressed() {
  local name
  for name in "${names[@]}"; do has_address "$name" "$name" "10.50.${name#many}.1/24" || return 1; done
}
check "each has its address" addressed
whole() {
  local folders=("${names[@]/#//etc/netns/}") lacking
  lacking=$(grep -L '^nameserver 1.1.1.1$' "${folders[@]/%//resolv.conf}" 2>&1
    grep -L '^hosts:.' "${folders[@]/%//nsswitch.conf}" 2>&1)
  echo "$lacking"
  [ -z "$lacking" ]
}
check "each has its files, whole" whole
strange() { find /etc/netns -mindepth 2 ! -name resolv.conf ! -name nsswitch.conf; [ -z "$(find /etc/netns -mindepth 2 ! -name resolv.conf ! -name nsswitch.conf)" ]; }
check "no other file is left in /etc/netns" strange

# Two starts at once of the same, and of others.
systemctl stop "${names[@]/#/netns-}"
same "all of them stop" 0 "$(find /run/netns -name 'many*' | wc -l)"
starts=()
for name in many1 many2 many3 many1 many2 many3; do
  systemctl start "netns-$name.service" &
  starts+=("$!")
done
together=0
for start in "${starts[@]}"; do wait "$start" || together=1; done
same "starts at the same time all succeed" 0 "$together"
check "and all are up" active netns-many{1,2,3}.service
systemctl stop netns-many{1,2,3}.service
rm /etc/netnsctl/many.toml
systemctl daemon-reload
