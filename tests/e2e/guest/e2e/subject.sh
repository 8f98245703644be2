# What the scenarios do to the tested system in its own words; the reference has another file.
# shellcheck shell=bash

# The declaration of the namespaces called $1 changes to what comes on stdin.
declare_file() { cat >"/etc/netnsctl/$1.toml"; }

# A changed declaration comes into force.
apply() { systemctl daemon-reload && systemctl reload "netns-$1.service"; }

# The drop-in that puts a service into a namespace.
service_config() { netnsctl service-config "$1"; }

# run_as USER NAME COMMAND…: a command as that user, in the namespace and its view.
run_as() {
  local user=$1 name=$2
  shift 2
  runuser -u "$user" -- netnsctl run "$name" -- "$@"
}

# diagnose NAME: proves that names asked inside stay inside.
diagnose() { netnsctl doctor "$1"; }
