#!/bin/sh
# Checks claims before they are merged: are they what the definitions allow, what would they compose, is that what the
# CRDs allow, and, when XDB_SERVER is set, which SQL would be run. Nothing is changed anywhere.
#
#   check.sh SCHEMAS FUNCTIONS CLAIM...
#
#   SCHEMAS    folder with the CRDs of the provider and with <version>/definition.yaml and composition.yaml below
#   FUNCTIONS  file with the Function and where it listens, e.g. examples/functions.yaml
#   CLAIM      file with one claim (claim.xdatabase.dev) or one namespaced composite (xdatabase.dev)
#
# Environment: CROSSPLANE (the command line of Crossplane, default crossplane), CROSSPLANE_CORE (the binary of Crossplane
# itself, which renders without Docker), XDB (default xdb), XDB_SERVER and XDB_PASSWORD (a server to plan against: a
# role that can only read is enough).
# Exit code: 0 fine, 1 something is wrong; that SQL would be run is no fault.
set -eu

schemas=$1 functions=$2
shift 2
crossplane=${CROSSPLANE:-crossplane}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

validate() {
  "$crossplane" resource validate "$schemas" "$1" --crossplane-image= --cache-dir="$work/cache" \
    --error-on-missing-schemas --skip-success-results
}

for claim in "$@"; do
  echo "== $claim"
  validate "$claim"
  case $(grep '^apiVersion:' "$claim") in
    *claim.xdatabase.dev/*)
      version=v1
      "$crossplane" xr generate "$claim" --kind CompositeXDatabase -o "$work/xr.yaml"
      ;;
    *)
      version=v2
      cp "$claim" "$work/xr.yaml"
      ;;
  esac
  "$crossplane" composition render "$work/xr.yaml" "$schemas/$version/composition.yaml" "$functions" \
    --xrd="$schemas/$version/definition.yaml" ${CROSSPLANE_CORE:+--crossplane-binary="$CROSSPLANE_CORE"} >"$work/all.yaml"
  # The composite comes first; what it composes is everything after.
  awk 'BEGIN { RS = "---\n"; ORS = "" } NR > 2 { print "---\n" $0 }' "$work/all.yaml" >"$work/composed.yaml"
  validate "$work/composed.yaml"
  grep -c '^kind:' "$work/composed.yaml" | sed 's/$/ resources would be composed/'
  if [ -n "${XDB_SERVER:-}" ]; then
    code=0
    "${XDB:-xdb}" plan -f "$claim" --state "$work/state.json" || code=$?
    # 2 means that there is something to do.
    [ "$code" -eq 0 ] || [ "$code" -eq 2 ]
  fi
done
