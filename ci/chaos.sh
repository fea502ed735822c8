#!/usr/bin/env bash
# Does the stress run notice a lost wake-up? Builds it so that it loses one (src/sched/chaos.rs), and expects the watchdog.
#
#   ci/chaos.sh         four times
#   ci/chaos.sh N       N times: one wake-up lost in each Nth of a run, at random
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-4}
die() {
    echo "chaos.sh: $*" >&2
    exit 1
}
[[ $times =~ ^[0-9]+$ && $times -gt 0 ]] || die "how many times? '$times' proves nothing"

# A run has more readies than this; see MIN_PARKS in examples/stress.
readies=1000000
# Seconds: several times what any scenario takes.
export SIXTYONE_WATCHDOG=8

ulimit -c 0
unset SIXTYONE_SEED SIXTYONE_DROP_READY GOMAXPROCS
RUSTFLAGS="--cfg sixtyone_chaos" cargo build -q --release --target-dir target-chaos --no-default-features --example stress
program=target-chaos/release/examples/stress
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The control: nothing is dropped, nothing is noticed.
"$program" >"$log" 2>&1 || { cat "$log" >&2; die "the control run, which drops nothing, failed"; }
grep -q '^stress: ok: ' "$log" || die "the control run did not say that it is ok"

# One process a lost wake-up, side by side: mostly they wait for the watchdog.
# lose N: loses ready number N; exits with 1 if the watchdog does not see it.
lose() {
    local status=0 log
    log=$(mktemp)
    # The subshell, so that bash's own word about the abort goes to the log, too.
    (SIXTYONE_DROP_READY=$1 timeout 300 "$program"; exit $?) >"$log" 2>&1 || status=$?
    # 134: SIGABRT, which the watchdog raises.
    if [ "$status" -ne 134 ] || ! grep -q '^sixtyone: chaos: a ready was dropped$' "$log" ||
        ! grep -q '^stress: watchdog: ' "$log"; then
        cat "$log" >&2
        die "ready number $1 was dropped and the watchdog did not see it (status $status)"
    fi
    echo "chaos.sh: ready number $1 dropped: $(sed -n 's/^stress: watchdog: \(.*\);.*/\1/p' "$log")"
    rm "$log"
}
export -f lose die
export program
for ((i = 0; i < times; i++)); do
    echo $((1 + readies * i / times + SRANDOM % (readies / times)))
done | xargs -P "$(nproc)" -I{} bash -c 'lose {}' || die "not every lost wake-up was noticed"
echo "$times passed, 0 failed"
