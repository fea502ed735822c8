#!/usr/bin/env bash
# The models of src/loom_tests. Every model must run: their number is compared with the sources'.
#
#   ci/loom.sh                    all
#   ci/loom.sh idle mutex::two    those whose path in loom_tests begins with one of these
#   LOOM_MAX_PREEMPTIONS=4 ci/loom.sh park    deeper than a model asks for (2 or 3 mostly)
#   LOOM_LOG=trace LOOM_LOCATION=1 ci/loom.sh NAME    what a failing model did
#
# Exit status: 1 a model failed, 2 the models could not be built or were not all run.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="--cfg sixtyone_loom"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target-loom}
# With debug assertions. Only what the models spend their time in is optimised, because everything here is built just for them.
# Without `rpc`, which has no models.
cargo=(cargo test --lib --no-default-features --config profile.dev.debug=0)
for package in sixtyone=1 loom=3 generator=3 tracing-core=3; do
    cargo+=(--config "profile.dev.package.${package%=*}.opt-level=${package#*=}")
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! "${cargo[@]}" --no-run >"$log" 2>&1; then
    cat "$log"
    echo "loom.sh: the models do not build"
    exit 2
fi
[ $# -gt 0 ] || set -- ""
status=0
RUST_BACKTRACE=0 "${cargo[@]}" -- --nocapture "${@/#/loom_tests::}" >"$log" 2>&1 || status=$?
grep -E '^loom_tests.* executions' "$log" || true
passed=$(sed -nE 's/^test result: ok\. ([0-9]+) passed.*/\1/p' "$log" | tail -n 1)
if [ "$status" -ne 0 ] || [ -z "$passed" ]; then
    # Not the compiler's warnings, which cargo repeats.
    sed -n '/^running /,$p' "$log" | grep -vE '^loom_tests.* executions|^test .* ok$' || cat "$log"
    echo "loom.sh: FAILED"
    exit 1
fi
wanted=1
[ -n "$1" ] || wanted=$(cat src/loom_tests/*.rs | grep -cx '#\[test\]')
if [ "$passed" -lt "$wanted" ] || [ "$wanted" -lt 1 ]; then
    echo "loom.sh: $passed models ran, at least $wanted were expected"
    exit 2
fi
echo "$passed passed, 0 failed"
