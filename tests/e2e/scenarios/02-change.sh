# A declaration changes under those who use it: only what differs is touched.
# shellcheck shell=bash

# declared ADDRESS MTU TARGET [MORE]: one namespace with a veth pair and a forward, and MORE.
declared() {
  declare_file change <<TOML
[netns.change]
address = ["$1"]
[[netns.change.veth]]
mtu = $2
address = ["192.168.30.2/30"]
peer_address = ["192.168.30.1/30"]
[[netns.change.forward]]
listen = "127.0.0.1:7001"
connect = "127.0.0.1:$3"
${4-}
TOML
}
second='[[netns.change.forward]]
protocol = "udp"
listen = "127.0.0.1:7002"
connect = "127.0.0.1:7102"'

declared 10.30.0.1/32 1400 7101
check "a namespace added to the files comes up" bring_up change
soon "its forward is active" active netns-change-port-forward-1-default-tcp.service
soon "its veth pair is active" active netns-change-extra-veth-1-default.service
serve default tcp 127.0.0.1 7101 first
serve default udp 127.0.0.1 7102 second
serve default tcp 127.0.0.1 7103 third
check "a connection through the forward opens" hold change 127.0.0.1 7001

inode=$(inode_of change)
veth=$(cat /sys/class/net/change/ifindex)
forwarder=$(pid_of netns-change-port-forward-1-default-tcp.service)

declared 10.30.0.2/32 1300 7101 "$second"
check "a change of address, veth pair and forwards is applied" apply change
soon "the new address is there" has_address change change 10.30.0.2/32
old_address() { inside change ip -o address show dev change && ! has_address change change 10.30.0.1/32; }
check "the old address is gone" old_address
soon "the veth pair has its new MTU" grep -qx 1300 /sys/class/net/change/mtu
soon "the new forward carries" answers second change udp 127.0.0.1 7002
same "the namespace is the same" "$inode" "$(inode_of change)"
same "the veth pair is the same" "$veth" "$(cat /sys/class/net/change/ifindex)"
same "the first forwarder is the same process" "$forwarder" "$(pid_of netns-change-port-forward-1-default-tcp.service)"
check "the open connection is still there" still_open first

other=$(pid_of netns-change-port-forward-2-default-udp.service)
declared 10.30.0.2/32 1300 7103 "$second"
check "a change of a forward's target is applied" apply change
soon "the forward carries to its new target" answers third change tcp 127.0.0.1 7001
same "it is the same process" "$forwarder" "$(pid_of netns-change-port-forward-1-default-tcp.service)"
check "the connection to the old target is still there" still_open first
check "nothing more is applied" apply change
same "it is still the same process" "$forwarder" "$(pid_of netns-change-port-forward-1-default-tcp.service)"
second_more="$second
workers = 2"
declared 10.30.0.2/32 1300 7103 "$second_more"
check "more workers are applied" apply change
anew() { [ "$(pid_of netns-change-port-forward-2-default-udp.service)" != "$other" ]; }
soon "which takes another process" anew
soon "that carries" answers second change udp 127.0.0.1 7002
other=$(pid_of netns-change-port-forward-2-default-udp.service)
declared 10.30.0.2/32 1300 7103 "$second_more"
check "no change is applied" apply change
same "the other forwarder is the same process" "$other" "$(pid_of netns-change-port-forward-2-default-udp.service)"

declared 10.30.0.2/32 1300 7103
check "the removal of a forward is applied" apply change
silent() { ! talk change udp 127.0.0.1 7002; }
soon "nobody listens there any more" silent
check "the forward that stays carries" answers third change tcp 127.0.0.1 7001
same "the namespace is still the same" "$inode" "$(inode_of change)"

rm /etc/netnsctl/change.toml
systemctl daemon-reload
check "a namespace removed from the files stops" systemctl stop netns-change.service
soon "its name is gone" absent /run/netns/change
soon "its folder in /run is gone" absent /run/netns-change
soon "its end of the veth pair at home is gone" absent /sys/class/net/change
soon "its files in /etc are gone" absent /etc/netns/change
left_over() { systemctl list-units --plain --no-legend 'netns-change*'; [ -z "$(systemctl list-units --plain --no-legend 'netns-change*')" ]; }
soon "no unit of it is left" left_over

# Whatever was left must not be in the way of the next scenario.
systemctl stop 'netns-change*'
ip netns del change 2>/dev/null
systemctl reset-failed
