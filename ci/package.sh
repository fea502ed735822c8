#!/usr/bin/env bash
# The package as it would be published: it says nothing but that it has no home page yet, holds what it should, and builds from what
# it holds.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "package.sh: $*" >&2
    exit 1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

list=$(cargo package --list --allow-dirty 2>"$log")
# Three of the files that users read, and each kind of what is not theirs.
for wanted in LICENSE README.md src/lib.rs; do
    grep -qx "$wanted" <<<"$list" || die "$wanted is not in the package"
done
! grep -E '^(\.ci|ci|fuzz|benches/[a-z]+|target[^/]*)/' <<<"$list" || die "these do not belong in the package"
# No repository and no home page: none has an address yet.
warned=$(grep '^warning' "$log" || true)
[ -z "$warned" ] || [ "$warned" = "warning: manifest has no documentation, homepage or repository" ] || die "$warned"

# Built beside the others, so that the crates are compiled once.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target} cargo package --allow-dirty >"$log" 2>&1 || { cat "$log"; die "it does not build"; }
grep -E '^ +(Packaged|Verifying)' "$log"
echo "$(wc -l <<<"$list") passed, 0 failed"
