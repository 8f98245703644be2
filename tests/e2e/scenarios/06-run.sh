# Commands of users: who is allowed gets in as themselves, who is not stays out.
# shellcheck shell=bash
groupadd -f audio
usermod -a -G audio alice
declare_file office <<'TOML'
[netns.office]
[netns.office.dns]
nameservers = ["10.34.0.53"]
[netns.office.run]
users = ["alice"]
[netns.closed]
TOML
bring_up office
systemctl start netns-closed.service
cd /home/alice || exit 3
soon "alice gets in" run_as alice office true
same "alice stays alice, with all her groups" "$(runuser -u alice -- id)" "$(run_as alice office id 2>&1)"
same "alice is in the namespace" "$(inode_of office)" "$(run_as alice office stat -L -c %i /proc/self/ns/net 2>&1)"
same "alice has its name server" "nameserver 10.34.0.53" "$(run_as alice office grep nameserver /etc/resolv.conf 2>&1)"
same "alice keeps her working directory" /home/alice "$(run_as alice office pwd 2>&1)"
same "alice keeps her environment" kept "$(MARK=kept run_as alice office printenv MARK 2>&1)"
same "alice has no capability" "CapEff: 0000000000000000" "$(run_as alice office grep CapEff /proc/self/status 2>&1 | tr '\t' ' ')"
run_as alice office sh -c 'exit 42' >/dev/null 2>&1
same "her command's exit status comes back" 42 "$?"
refuse "alice is refused another namespace" run_as alice closed true
refuse "bob is refused" run_as bob office true
check "root gets in" run_as root closed true
cd / || exit 3
systemctl stop netns-closed.service
take_down office
