# What recipes below examples/ show only with a kernel of a distribution, as their READMEs tell. All
# else of them is tried by tests/recipes/run.
# shellcheck shell=bash
[ "$LANE" != reference ] || { echo "ok $SCENARIO: recipes # SKIP they are for netnsctl alone"; return 0; }
# shellcheck source=tests/recipes/follow.sh
. /e2e/follow.sh

if only_vm "the router lab's line gets long"; then
  cd /e2e/examples/router-lab || exit 3
  set -m
  follow "Bring it up" "Make the line long" "Undo"
  set +m
fi
