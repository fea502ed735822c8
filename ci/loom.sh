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

# Each model is a process of its own. What takes most of their time is the kernel's, which maps and unmaps the stacks of loom's threads:
# for two at once in one address space that is half as slow again.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RUST_BACKTRACE=0 work

if ! "${cargo[@]}" --no-run >"$work/build" 2>&1; then
    cat "$work/build"
    echo "loom.sh: the models do not build"
    exit 2
fi
program=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build")
[ $# -gt 0 ] || set -- ""
# From the last to the first, because the last ones take long.
"$program" --list 2>&1 | sed -n 's/^\(loom_tests::.*\): test$/\1/p' | sort -r |
    grep -E "^loom_tests::($(IFS='|' && echo "$*"))" >"$work/models" || true

# The first that fails stops the others from beginning.
run() {
    local status=0
    "$program" --exact "$1" --nocapture --test-threads=1 >"$work/$1" 2>&1 || status=$?
    grep -E '^loom_tests.* executions' "$work/$1" || true
    [ "$status" -ne 0 ] || grep -q '^test result: ok\. 1 passed' "$work/$1" || status=1
    [ "$status" -ne 0 ] || { echo >>"$work/passed"; exit 0; }
    [ "$status" -lt 128 ] || echo "(signal: $((status - 128)), $(kill -l $((status - 128))))" >>"$work/$1"
    echo "$1" >>"$work/failed"
    exit 255
}
export -f run
export program
: >"$work/passed"
xargs -P "$(nproc)" -I{} bash -c 'run {}' <"$work/models" 2>/dev/null || true
if [ -e "$work/failed" ]; then
    while read -r model; do
        grep -vE '^loom_tests.* executions' "$work/$model"
    done <"$work/failed"
    echo "loom.sh: FAILED: $(paste -sd ' ' "$work/failed")"
    exit 1
fi
passed=$(wc -l <"$work/passed")
wanted=$(wc -l <"$work/models")
[ -n "$1" ] || wanted=$(cat src/loom_tests/*.rs | grep -cx '#\[test\]')
if [ "$passed" -lt "$wanted" ] || [ "$wanted" -lt 1 ]; then
    echo "loom.sh: $passed models ran, at least $((wanted < 1 ? 1 : wanted)) were expected"
    exit 2
fi
echo "$passed passed, 0 failed"
