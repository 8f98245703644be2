# What recipes below examples/ show only with a booted systemd, or a kernel of a distribution, as
# their READMEs tell. All else of them is tried by tests/recipes/run.
# shellcheck shell=bash
[ "$LANE" != reference ] || { echo "ok $SCENARIO: recipes # SKIP they are for netnsctl alone"; return 0; }
# shellcheck source=tests/recipes/follow.sh
. /e2e/follow.sh

cd /e2e/examples/service || exit 3
follow "Bring it up" "See it work"
check "nginx is in the namespace" inodes_agree nginx.service web
check "nothing of it differs from the declaration" netnsctl plan --exit-code web
follow "Undo"
soon "nothing is left of it" absent /run/netns/web /run/netnsctl/web.json /run/netns-web

if only_vm "the router lab's line gets long"; then
  cd /e2e/examples/router-lab || exit 3
  set -m
  follow "Bring it up" "Make the line long" "Undo"
  set +m
fi
