# The long-running parts are killed; nobody who waits for them is turned away.
# shellcheck shell=bash
declare_file killed <<'TOML'
[netns.killed]
[[netns.killed.forward]]
listen = "127.0.0.1:7301"
connect = "127.0.0.1:7302"
TOML
bring_up killed
forward=netns-killed-port-forward-1-default-tcp.service
soon "the forwarder is active" active "$forward"
serve default tcp 127.0.0.1 7302 home
check "the forward carries" answers home killed tcp 127.0.0.1 7301

# Clients queue while the forwarder is stopped; then it dies.
process=$(pid_of "$forward")
kill -STOP "$process"
answers=$(mktemp -u)
mkfifo "$answers"
inside killed python3 -IS /e2e/traffic.py queue 127.0.0.1 7301 50 >"$answers" 2>&1 &
helpers+=("$!")
exec 9<"$answers"
read -r -t "$((patience * 2))" said <&9
same "50 clients connect while the forwarder stands still" queued "${said-}"
kill -KILL "$process"
said=
read -r -t "$((patience * 2))" said <&9
same "all of them are served after it was killed" "served 50" "$said"
soon "there is another forwarder" restarted "$forward" "$process"
check "the forward carries again" answers home killed tcp 127.0.0.1 7301

# A service that cannot look alice up by itself, only by asking nscd.
grep -v '^alice:' /etc/passwd >/e2e/passwd
join looker.service killed
printf '[Service]\nBindReadOnlyPaths=/e2e/passwd:/etc/passwd\n' >/etc/systemd/system/looker.service.d/passwd.conf
systemctl daemon-reload
systemctl restart looker.service
looks_up() { as_service looker.service getent passwd alice; }
soon "a service's look-up goes through nscd" looks_up
systemctl stop netns-killed-nscd.socket netns-killed-nscd.service 2>/dev/null
looks_up >"$seen" 2>&1 && gone=1 || gone=0
same "without nscd there is no answer" 0 "$gone"
systemctl start netns-killed-nscd.socket 2>/dev/null
systemctl start netns-killed-nscd.service looker.service
soon "with nscd there is again" looks_up
process=$(pid_of netns-killed-nscd.service)
looker=$(pid_of looker.service)
kill -KILL "$process"
soon "nscd comes back after it was killed" restarted netns-killed-nscd.service "$process"
soon "look-ups go on in a service that was there before" looks_up
check "nscd restarts" systemctl restart netns-killed-nscd.service
soon "look-ups go on after a restart" looks_up
same "the service was not restarted for it" "$looker" "$(pid_of looker.service)"
leave looker.service
take_down killed
