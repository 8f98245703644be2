# The machine has booted with the sample: every unit is there, and carries what it is for.
# shellcheck shell=bash
services=(
  netns-{proxy,lan}{,-mntns,-nscd}.service
  netns-proxy-extra-veth-{1-default,2-lan}.service
  netns-proxy-port-forward-{1-default-tcp,2-lan-udp}.service
  netns-default-port-forward-1-proxy-tcp.service
)
for unit in "${services[@]}"; do check "$unit is active" active "$unit"; done
failed() { systemctl --failed --no-legend --plain; [ -z "$(systemctl --failed --no-legend --plain)" ]; }
check "no unit has failed" failed
ordered() { ! journalctl -b --no-pager _PID=1 | grep -iE 'ordering cycle|netns-.*(unknown|failed to parse|invalid)'; }
check "systemd finds no fault in any unit" ordered

# The holder link and its addresses.
holder_kind() { inside proxy ip -d link show dev dn-proxy | grep -w dummy; }
only_vm "the holder link is a dummy link" && check "the holder link is a dummy link" holder_kind
check "the holder has its IPv4 address" has_address proxy dn-proxy 10.10.0.1/32
check "the holder has its IPv6 address" has_address proxy dn-proxy 2001:db8:10::1/128
check "the holder's default name is the namespace's" inside lan ip link show dev lan up
for family in ipv4 ipv6; do
  for where in all default; do
    same "$family forwarding of $where is on in proxy" 1 "$(inside proxy cat "/proc/sys/net/$family/conf/$where/forwarding")"
    same "$family forwarding of $where is off in lan" 0 "$(inside lan cat "/proc/sys/net/$family/conf/$where/forwarding")"
  done
done

# The veth pairs, by the link-local addresses that their hardware addresses give them.
check "the pair's end in proxy has its link-local address" has_address proxy host fe80::ff:fe00:1/64
check "the pair's end at home has its link-local address" has_address default proxy fe80::ff:fe00:0/64
same "the pair's MTU is 1400 here" 1400 "$(inside proxy cat /proc/net/dev | grep -q host: && inside proxy ip -o link show dev host | sed 's/.* mtu \([0-9]*\) .*/\1/')"
same "the pair's MTU is 1400 at home" 1400 "$(cat /sys/class/net/proxy/mtu)"
serve default tcp 'fe80::ff:fe00:0%proxy' 7 home
serve lan udp 'fe80::ff:fe00:0%to-proxy' 7 lan
check "TCP from proxy to home by link-local addresses" answers home proxy tcp 'fe80::ff:fe00:0%host' 7
check "UDP from proxy to lan by link-local addresses" answers lan proxy udp 'fe80::ff:fe00:0%to-lan' 7

# The forwards, in both directions of home and between two others.
serve default tcp 127.0.0.1 3128 squid
serve proxy tcp 127.0.0.1 8080 web
serve lan udp ::1 53 names
check "TCP is carried from proxy to home" answers squid proxy tcp 127.0.0.1 13128
check "TCP is carried from home to proxy" answers web default tcp 127.0.0.1 18080
check "UDP is carried from proxy to lan" answers names proxy udp ::1 5353

# What the forwarders are: nobody, with no right, in the namespace they connect in.
powerless() {
  local pid
  pid=$(systemctl show -P MainPID "$1")
  grep -E '^(Uid|Cap)' "/proc/$pid/status"
  [ "$pid" != 0 ] && grep -q '^CapEff:.0000000000000000$' "/proc/$pid/status" &&
    grep -q '^CapBnd:.0000000000000000$' "/proc/$pid/status" && ! grep -qP '^Uid:\t0\t' "/proc/$pid/status"
}
for unit in netns-proxy-port-forward-{1-default-tcp,2-lan-udp} netns-default-port-forward-1-proxy-tcp netns-lan-nscd; do
  check "$unit runs without any right" powerless "$unit.service"
done
check "the forwarder to lan runs in lan" inodes_agree netns-proxy-port-forward-2-lan-udp.service lan

# The files of the name service.
check "proxy's own resolv.conf stays the user's" grep -qx 'nameserver 192.0.2.53' /etc/netns/proxy/resolv.conf
check "lan has a resolv.conf with the default name servers" grep -qx 'nameserver 1.1.1.1' /etc/netns/lan/resolv.conf
no_resolve() {
  grep -H '^hosts:' /etc/nsswitch.conf "/etc/netns/$1/nsswitch.conf"
  grep -q '^hosts:.*resolve' /etc/nsswitch.conf && grep '^hosts:' "/etc/netns/$1/nsswitch.conf" | grep -vq resolve
}
check "lan's nsswitch.conf does not ask systemd-resolved" no_resolve lan
