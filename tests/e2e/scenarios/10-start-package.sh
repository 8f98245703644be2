# The page "Ten minutes" as a new user would follow it: from the package to an nginx in a namespace
# that comes up with the machine, and back. Every command is typed, and must show what the page shows.
# shellcheck shell=bash
# shellcheck source=tests/recipes/follow.sh
. /e2e/follow.sh
# shellcheck disable=SC2034 # read by follow.sh
page=/e2e/start.md
# shellcheck disable=SC2034 # the same
stay_open=('netnsctl serve' 'netnsctl run web -- nginx*' 'netnsctl serve --sandbox *' 'netnsctl run --sandbox right *')
# The kernel of the container may have no dummy links, a process has any number, and
# who is not served at once asks again.
only_vm "the holder is a dummy link, as the page says" || sed -i 's/\bdummy\b/ifb/' "$page"
sed -i -e 's/^  process [0-9]* /  process ... /' -e 's/[0-9]* ever,.*/.../' "$page"
# $1: the file, $2: the heading: appends the page's TOML to the file.
write_down() { mkdir -p "${1%/*}"; blocks_of "$page" "$2" 'toml.*' >>"$1"; [ -s "$1" ]; }
gone() { ! pgrep -a "$@"; }

rm -f /etc/netnsctl/*.toml
mkdir /e2e/new-user && cd /e2e/new-user || exit 3
cp /e2e/packages/older.deb netnsctl.deb
cp -r /e2e/examples .
# Where apt asks whether it may, the answer is yes.
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
# Ctrl-C reaches what is in the background.
set -m
follow '1\. Get it'
check "the page has a declaration" write_down /etc/netnsctl/web.toml '2\. Say what there should be'
follow '2\. Say what there should be' '3\. Make it so' '4\. Put nginx inside' '5\. Look'
check "the page has a change" write_down /etc/netnsctl/web.toml '6\. Change something'
follow '6\. Change something'
check "Ctrl-C ends nginx" pkill -INT -x nginx
soon "nginx has ended" gone -x nginx
check "Ctrl-C ends serve" pkill -INT -f '^netnsctl serve'
soon "serve has ended" gone -f '^netnsctl serve'
check "it has taken everything down" absent /run/netns/web /run/netns-web /sys/class/net/web
follow '7\. Keep it'
set +m
soon "nothing is left of it" absent /run/netns/web /run/netns-web /sys/class/net/web

# Another user, without any right, while nothing of the above is there.
export -f blocks_of stays_open shown type_command follow result
# shellcheck disable=SC2016 # for the user's shell
as_alice='set -m; page=$1 seen=$(mktemp) patience=$2 SCENARIO=$3 failures=0 told=$SECONDS
  stay_open=("netnsctl serve --sandbox *" "netnsctl run --sandbox right *")
  follow "Without root"; kill -INT %2 %1; exit "$failures"'
runuser -u alice -- bash -c "$as_alice" bash "$page" "$patience" "$SCENARIO" || failures=$((failures + 1))
soon "her sandbox has ended" gone -u alice
