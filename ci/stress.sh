#!/usr/bin/env bash
# Builds the stress example once and runs it N times with fresh seeds. Stops at the first failure and says how to
# repeat it.
#
#   ci/stress.sh 200            200 runs of a release build (about 2 s each)
#   ci/stress.sh 50 debug       50 runs of a debug build, with the internal assertions
#   ci/stress.sh 100 release --chaos     with a goroutine that makes trouble; --migrate: every park changes the thread
#   taskset -c 0 ci/stress.sh 20    on one CPU
#   GOMAXPROCS=8 ci/stress.sh 20    on 8 Ps in each scenario, instead of 1 to 8
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-10} profile=${2:-release}
shift $(($# < 2 ? $# : 2))
mode=("$@")
die() {
    echo "stress.sh: $*" >&2
    exit 1
}
[[ $runs =~ ^[0-9]+$ && $runs -gt 0 ]] || die "how many runs? '$runs' proves nothing"
case $profile in
    release) flags=(--release) ;;
    debug) flags=() ;;
    *) die "the profile is debug or release, not '$profile'" ;;
esac

unset SIXTYONE_SEED
cargo build -q --example stress "${flags[@]}"
program=${CARGO_TARGET_DIR:-target}/$profile/examples/stress
log=$(mktemp)
trap 'rm -f "$log"' EXIT

parks=0 slowest=0
for ((run = 1; run <= runs; run++)); do
    begun=${EPOCHREALTIME/./}
    # The program's own watchdog says more, so it comes first; this one is for the case that it hangs, too.
    status=0
    timeout --signal=ABRT 300 "$program" "${mode[@]}" >"$log" 2>&1 || status=$?
    took=$(((${EPOCHREALTIME/./} - begun) / 1000))
    n=$(sed -n 's/^stress: ok: [0-9]* scenarios, \([0-9]*\) parks$/\1/p' "$log")
    if [ "$status" -ne 0 ] || [ -z "$n" ]; then
        cat "$log" >&2
        seed=$(sed -n 's/^stress: SIXTYONE_SEED=//p' "$log")
        echo "stress.sh: run $run of $runs FAILED (status $status). Repeat it with:" >&2
        echo "    ${GOMAXPROCS:+GOMAXPROCS=$GOMAXPROCS }cargo run ${flags[*]} --example stress -- ${mode[*]} --seed ${seed:-?}" >&2
        exit 1
    fi
    parks=$((parks + n))
    slowest=$((took > slowest ? took : slowest))
done
[ "$parks" -gt 0 ] || die "no parks in $runs runs"
echo "stress.sh: $runs $profile runs${mode[*]:+ with ${mode[*]}}, $parks parks, slowest run $slowest ms"
echo "$runs passed, 0 failed"
