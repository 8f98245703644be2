# Others change what is ours: nothing leaks, and applying the declaration mends it.
# shellcheck shell=bash
declare_file drift <<'TOML'
[netns.drift]
address = ["10.33.0.1/32"]
[netns.drift.dns]
nameservers = ["192.168.33.1"]
[[netns.drift.veth]]
address = ["192.168.33.2/30"]
peer_address = ["192.168.33.1/30"]
[[netns.drift.forward]]
listen = "127.0.0.1:7401"
connect = "127.0.0.1:7402"
TOML
bring_up drift
soon "the way to its name server is there" has_address default drift 192.168.33.1/30
serve default dns 192.168.33.1 53
join inmate.service drift
serve default tcp 127.0.0.1 7402 home
own_resolver() { as_service inmate.service grep -x 'nameserver 192.168.33.1' /etc/resolv.conf; }
run_resolver() { run_as root drift grep -x 'nameserver 192.168.33.1' /etc/resolv.conf; }
check "a service has the namespace's name server" own_resolver
check "a command has the namespace's name server" run_resolver

# systemd-resolved runs on the host and answers there; inside, its sockets are out of reach.
check "systemd-resolved runs on the host" active systemd-resolved.service
varlink=/run/systemd/resolve/io.systemd.Resolve
check "its socket is there" test -S "$varlink"
refuse "a service cannot reach it" as_service inmate.service test -S "$varlink"
not_in_view() { [ "$(run_as root drift sh -c "test -S $varlink && echo there || echo not there")" = "not there" ]; }
check "a command cannot reach it" not_in_view
check "nothing leaks" diagnose drift

# Somebody opens the view on purpose: that is told, and what is wrong. /etc/resolv.conf is a link to
# a file of systemd-resolved, so the cover over its folder bears the namespace's own, too.
leaks() {
  local words
  words=$(diagnose drift 2>&1) && { echo "nothing, it says: $words"; return 1; }
  echo "$words"
  grep -q "^leak .*$1" <<<"$words"
}
check "what covers systemd-resolved in the view is taken away" nsenter --mount=/run/netns-drift/mntns umount --recursive "${varlink%/*}"
check "the leak is told: systemd-resolved is in reach" leaks "$varlink: the host's systemd-resolved can be reached"
check "the leak is told: the host's resolv.conf shows" leaks "/etc/resolv.conf: the host's shows"
check "applying the declaration closes the view again" apply drift
soon "nothing leaks any more" diagnose drift

# The host's resolv.conf is replaced by rename, as every program that writes it does.
cp --remove-destination -L /etc/resolv.conf /etc/resolv.conf.kept 2>/dev/null || : >/etc/resolv.conf.kept
echo 'nameserver 192.0.2.1' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
check "a new command still has the namespace's name server" run_resolver
soon "nothing leaks then" diagnose drift
check "the declaration is applied" apply drift
soon "a command still has it afterwards" run_resolver
soon "nothing leaks once it is applied" diagnose drift
check "restarting the service gives it its name server again" systemctl restart inmate.service
check "the service has the namespace's name server" own_resolver
ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
rm -f /etc/resolv.conf.kept

# The holder link is deleted.
inode=$(inode_of drift)
inside drift ip link del drift
refuse "the holder's address is gone" has_address drift drift 10.33.0.1/32
check "applying the declaration brings the holder back" apply drift
soon "the holder has its address" has_address drift drift 10.33.0.1/32
same "the namespace is the same" "$inode" "$(inode_of drift)"

# The namespace is deleted.
ip netns del drift
check "applying the declaration brings the namespace back" apply drift
soon "it has its address" has_address drift drift 10.33.0.1/32
check "a restart brings everything into it" systemctl restart netns-drift.service
soon "the service is in it" inodes_agree inmate.service drift
soon "the forward carries from it" answers home drift tcp 127.0.0.1 7401
soon "nothing leaks in the end" diagnose drift
leave inmate.service
take_down drift
