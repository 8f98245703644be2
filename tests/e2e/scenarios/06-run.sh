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
# Her keys come along and those of root do not, whatever session keyring PAM gives to pkexec.
if /e2e/keys find nothing >/dev/null 2>&1; then
  /e2e/keys add-user roots true
  as_alice() { runuser -u alice -- "$@"; }
  pam=/etc/pam.d/polkit-1
  for keyinit in "" revoke "force revoke"; do
    how="pam_keyinit ${keyinit:-left out}"
    cp /usr/lib/pam.d/polkit-1 $pam
    [ -z "$keyinit" ] || echo "session required pam_keyinit.so $keyinit" >>$pam
    same "alice has her keys and none of root, $how" "roots no hers yes" \
      "$(as_alice /e2e/keys add-user hers netnsctl run office -- /e2e/keys find roots hers 2>&1)"
    # pam_keyinit replaces her session keyring by force only, before netnsctl begins.
    [ "$keyinit" = "force revoke" ] && kept=no || kept=yes
    same "the keys of alice's session, $how" "session $kept" \
      "$(as_alice /e2e/keys add-session session netnsctl run office -- /e2e/keys find session 2>&1)"
  done
  # By that force a program that pkexec starts can read the keys of root.
  same "pkexec has a session keyring of root" "roots yes" "$(pkexec /e2e/keys find roots 2>&1)"
  rm $pam
else
  echo "ok $SCENARIO: keys # SKIP the container forbids the system calls for keys: vm only"
fi
cd / || exit 3
systemctl stop netns-closed.service
take_down office
