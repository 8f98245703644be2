# Services live and die with their namespace; a start that failed stands in nobody's way.
# shellcheck shell=bash
declare_file again <<'TOML'
[netns.again]
address = ["10.31.0.1/32"]
[[netns.again.veth]]
[[netns.again.forward]]
listen = "127.0.0.1:7201"
connect = "127.0.0.1:7202"
TOML
check "the namespace starts" bring_up again
check "a service joins it" join joined.service again
check "the service is in the namespace" inodes_agree joined.service again
check "the service has the namespace's resolv.conf" as_service joined.service cmp /etc/resolv.conf /etc/netns/again/resolv.conf
check "the service has the namespace's nsswitch.conf" as_service joined.service cmp /etc/nsswitch.conf /etc/netns/again/nsswitch.conf
before=$(inode_of_service joined.service)
process=$(pid_of joined.service)
serve default tcp 127.0.0.1 7202 home

# The old namespace is held, so that the new one cannot have its number.
exec 5<"/run/netns/again"
check "the namespace restarts" systemctl restart netns-again.service
soon "the service comes back" restarted joined.service "$process"
soon "the service is in the new namespace" inodes_agree joined.service again
differ "the namespace is another one" "$before" "$(inode_of_service joined.service)"
exec 5<&-
soon "the forward is back" answers home again tcp 127.0.0.1 7201
soon "the veth pair is back" has_address default again fe80::ff:fe00:0/64

check "the namespace stops" systemctl stop netns-again.service
soon "what joined it stops too" inactive joined.service
soon "its parts stop too" inactive netns-again-extra-veth-1-default.service netns-again-port-forward-1-default-tcp.service netns-again-mntns.service netns-again-nscd.service
soon "its name is gone" absent /run/netns/again
check "starting the service starts the namespace" systemctl start joined.service
check "the service is in it" inodes_agree joined.service again
leave joined.service
take_down again

# A route through a gateway that no link leads to.
declared() {
  declare_file broken <<TOML
[netns.broken]
address = ["10.32.0.1/24"]
[[netns.broken.route]]
to = "10.99.0.0/16"
via = "$1"
TOML
}
declared 203.0.113.1
refuse "a start with a route that cannot be fails" bring_up broken
check "nothing of it is left" absent /run/netns/broken
declared 10.32.0.254
check "the corrected one starts" bring_up broken
check "it has its address" has_address broken broken 10.32.0.1/24
take_down broken

# Somebody else's namespace of that name, and somebody else's link.
ip netns add taken
theirs=$(inode_of taken)
declare_file taken <<'TOML'
[netns.taken]
[[netns.taken.veth]]
peer_interface = "clash"
TOML
refuse "a start on top of somebody else's namespace fails" bring_up taken
same "theirs is untouched" "$theirs" "$(inode_of taken)"
ip netns del taken
ip link add clash type ifb
systemctl reset-failed
check "it starts once theirs is gone" systemctl start netns-taken.service
soon "the veth pair whose name is taken at home fails" systemctl is-failed netns-taken-extra-veth-1-default.service
check "the namespace is up all the same" inside taken ip link show dev taken up
ip link del clash
check "the veth pair starts once the name is free" systemctl start netns-taken-extra-veth-1-default.service
soon "its end at home is there" has_address default clash fe80::ff:fe00:0/64
take_down taken
