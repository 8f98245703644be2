# What the scenarios do to the tested system, in the words of the units that netnsctl replaces.
# shellcheck shell=bash

declare_file() { cat >"/etc/netnsctl/$1.toml"; }

# A changed declaration is a changed unit, which NixOS starts anew.
apply() { systemctl daemon-reload && systemctl restart "netns-$1.service"; }

# The module's `serviceConfig`: no word of the units it needs.
service_config() {
  cat <<TEXT
[Service]
NetworkNamespacePath=/run/netns/$1
BindReadOnlyPaths=/etc/netns/$1/resolv.conf:/etc/resolv.conf:norbind
BindReadOnlyPaths=/etc/netns/$1/nsswitch.conf:/etc/nsswitch.conf:norbind
BindReadOnlyPaths=/run/netns-$1/nscd:/run/nscd:norbind
TEXT
}

# As `netns-run-NAME` does it.
run_as() {
  local user=$1 name=$2
  shift 2
  runuser -u "$user" -- pkexec nsenter --net="/run/netns/$name" --mount="/run/netns-$name/mntns" \
    --wd="$PWD" -S "$(id -u "$user")" -G "$(id -g "$user")" -- "$@"
}

diagnose() { echo "there is no such thing"; return 1; }
