# The Debian package: installed beside a declaration, upgraded under open connections, removed with
# all that it made, purged, installed again.
# shellcheck shell=bash
install() { dpkg --install "/e2e/packages/$1.deb"; }
state() { dpkg-query -W -f '${db:Status-Status} ${Version}' netnsctl; }
version() { dpkg-deb --field "/e2e/packages/$1.deb" Version; }
# No unit of ours is loaded, and no process runs that is one of our program.
nothing_runs() {
  local units processes
  units=$(systemctl list-units --plain --no-legend --all 'netns-*' | grep -vE '^netns-(theirs|[^ ]+ +[^ ]+ +inactive)')
  processes=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname '*netnsctl*' -printf '%p -> %l\n' 2>/dev/null)
  printf '%s\n' "$units" "$processes"
  [ -z "$units$processes" ]
}
generator=/usr/lib/systemd/system-generators/netnsctl-generator

check "the machine is without the program" absent /usr/bin/netnsctl "$generator" /run/netnsctl
check "it has a declaration" test -s /etc/netnsctl/sample.toml
check "the package installs" install older
same "it is installed" "installed $(version older)" "$(state)"
check "the generator is the program" test "$generator" -ef /usr/bin/netnsctl
same "systemd knows the units of what is declared" loaded "$(systemctl show -P LoadState netns-proxy.service)"
check "nothing was started" nothing_runs
check "nothing was made" absent /run/netns /run/netnsctl /etc/netns/lan
check "the program takes the declaration" netnsctl check

# What the upgrade is to leave alone. The second namespace comes without systemd.
mkdir -p /etc/netns/packaged
echo '10.38.0.1 theirs' >/etc/netns/packaged/hosts
declare_file packaged <<'TOML'
[netns.packaged]
[[netns.packaged.veth]]
[[netns.packaged.forward]]
listen = "127.0.0.1:7801"
connect = "127.0.0.1:7802"
[[netns.packaged.forward]]
protocol = "udp"
listen = "127.0.0.1:7801"
connect = "127.0.0.1:7802"
[netns.packaged.run]
users = ["alice"]
TOML
printf '[netns.byhand]\n[[netns.byhand.veth]]\n' >/e2e/byhand.toml
check "a namespace comes up" bring_up packaged
check "a namespace comes up by hand" netnsctl --config /e2e/byhand.toml up
check "a service joins the first" join joined.service packaged
serve default tcp 127.0.0.1 7802 tcp
serve default udp 127.0.0.1 7802 udp
soon "TCP is carried" answers tcp packaged tcp 127.0.0.1 7801
soon "UDP is carried" answers udp packaged udp 127.0.0.1 7801
soon "alice gets in" run_as alice packaged true
check "a connection through the forward opens" hold packaged 127.0.0.1 7801

parts=(netns-packaged-port-forward-{1-default-tcp,2-default-udp}.service netns-packaged-nscd.service joined.service)
soon "all its parts are active" active netns-packaged.service netns-packaged-{mntns,extra-veth-1-default}.service "${parts[@]}"
processes() {
  local unit
  for unit in "${parts[@]}"; do echo "$unit $(pid_of "$unit") restarts $(systemctl show -P NRestarts "$unit")"; done
  echo "packaged $(inode_of packaged) byhand $(inode_of byhand) veth $(cat /sys/class/net/packaged/ifindex)"
}
forwarder=$(pid_of "${parts[0]}")
before=$(processes)

check "the package is upgraded" install newer
same "the newer one is installed" "installed $(version newer)" "$(state)"
differ "the two have different versions" "$(version older)" "$(version newer)"
check "the open connection is still there" still_open tcp
same "processes, namespaces and links are the same" "$before" "$(processes)"
same "the forwarder runs the program it was started with" "/usr/bin/netnsctl (deleted)" "$(readlink "/proc/$forwarder/exe")"
check "new clients are served over TCP" answers tcp packaged tcp 127.0.0.1 7801
check "new clients are served over UDP" answers udp packaged udp 127.0.0.1 7801
check "alice gets in by the new program" run_as alice packaged true
check "a reload by the new program succeeds" apply packaged
same "it has nothing to do" "$before" "$(processes)"
check "the open connection is there after that, too" still_open tcp
kill "${helpers[-1]}"
check "the forwarder can be restarted" systemctl restart "${parts[0]}"
soon "it serves new clients" answers tcp packaged tcp 127.0.0.1 7801
same "it runs the new program" /usr/bin/netnsctl "$(readlink "/proc/$(pid_of "${parts[0]}")/exe")"

# Removed, with a file that has a mistake, and things of others under names like ours.
echo 'netns = 5' >/etc/netnsctl/wrong.toml
systemctl daemon-reload
printf '[Service]\nExecStart=sleep infinity\n' >/etc/systemd/system/netns-theirs.service
systemctl daemon-reload
systemctl start netns-theirs.service
ip netns add theirs
check "the package is removed" dpkg --remove netnsctl
same "only its configuration is left of it" "config-files $(version newer)" "$(state)"
check "the program is gone" absent /usr/bin/netnsctl "$generator"
soon "nothing of it runs" nothing_runs
failed() { systemctl --failed --no-legend --plain; [ -z "$(systemctl --failed --no-legend --plain)" ]; }
check "no unit has failed" failed
soon "the service that had joined has stopped" inactive joined.service
ours() { find /run/netns /run/netns-* /run/netnsctl /run/systemd/generator -mindepth 1 \( -name 'netns-*' -o -name 'netnsctl*' -o -path '/run/netns*' \) ! -path /run/netns/theirs; }
records() { ours; [ -z "$(ours)" ]; }
check "namespaces, records, views and units are gone" records
check "the veth pairs are gone" absent /sys/class/net/{packaged,byhand}
granted() { ! find /usr/share/polkit-1/actions /etc/polkit-1/rules.d | grep netnsctl; }
check "nobody is granted anything any more" granted
check "its files in /etc/netns are gone" absent /etc/netns/{packaged,byhand}/{resolv,nsswitch}.conf
same "the user's file there stays" '10.38.0.1 theirs' "$(cat /etc/netns/packaged/hosts)"
check "somebody else's namespace stays" inside theirs true
check "somebody else's unit runs on" active netns-theirs.service
check "the declarations stay" test -s /etc/netnsctl/sample.toml -a -s /etc/netnsctl/packaged.toml

check "the package is installed again" install newer
check "it starts nothing" nothing_runs
rm /etc/netnsctl/wrong.toml
check "the declaration comes up again" bring_up packaged
soon "TCP is carried again" answers tcp packaged tcp 127.0.0.1 7801
check "so does the service that had joined" systemctl start joined.service

# Purged while all that runs.
check "the package is purged" dpkg --purge netnsctl
soon "nothing of it runs then" nothing_runs
check "everything it made is gone" records
check "its file in /etc is gone" absent /etc/netnsctl/README
check "the user's files there stay" test -s /etc/netnsctl/sample.toml -a -s /etc/netnsctl/packaged.toml
systemctl stop netns-theirs.service
ip netns del theirs
leave joined.service
rm /etc/netnsctl/*.toml
check "the package is installed where nothing is declared" install older
check "the package is purged where nothing is declared" dpkg --purge netnsctl
check "its folder in /etc is gone" absent /etc/netnsctl
check "no unit has failed in the end" failed
