#!/usr/bin/env bash
# Measures which share of the statements of four packages tests run without a lab, and fails where it
# is below what is wanted. Inference is all of its packages; a real Envoy answers some of its tests.
set -uo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
profile=$(mktemp) && trap 'rm -f "$profile"' EXIT
missed=0
hold() { # WANTED PACKAGE: the share in percent, and the package, with /... for those below it too
  local wanted=$1 package=$2 measured said share
  measured=$(go list "$package" | grep -v -e /authority$ -e test$ | paste -sd,)
  if ! said=$(go test -count=1 -p 1 -timeout 60m -coverprofile="$profile" -coverpkg="$measured" "$package" 2>&1); then
    printf '%s\n%s\n' "$package: its tests fail" "$said"
    missed=1
    return
  fi
  share=$(go tool cover -func="$profile" | awk '/^total:/ { sub("%", "", $NF); print $NF }')
  if awk "BEGIN { exit !($share >= $wanted) }"; then
    echo "held: $package $share % of its statements, $wanted % wanted"
  else
    echo "short: $package $share % of its statements, $wanted % wanted"
    missed=1
  fi
}
hold 95 ./harness/verify
hold 70 ./harness/script
hold 85 ./harness/run
hold 85 ./harness/infer/...
exit $missed
