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
RUSTFLAGS="--cfg sixtyone_chaos" cargo build -q --release --target-dir target-chaos --example stress
program=target-chaos/release/examples/stress
logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$logs"' EXIT

# The control: nothing is dropped, nothing is noticed.
"$program" >"$logs/control" 2>&1 || { cat "$logs/control" >&2; die "the control run, which drops nothing, failed"; }
grep -q '^stress: ok: ' "$logs/control" || die "the control run did not say that it is ok"

# lose N: a run that loses ready number N, with the watchdog's abort as its exit status. It says what it does in $logs/N.
lose() { exec env SIXTYONE_DROP_READY="$1" timeout 300 "$program" >"$logs/$1" 2>&1; }

caught=0
for ((i = 0; i < times; i += 2)); do
    # Two side by side: most of their time, they wait for the watchdog.
    declare -A running=()
    for ((j = i; j < times && j < i + 2; j++)); do
        n=$((1 + readies * j / times + SRANDOM % (readies / times)))
        lose "$n" &
        running[$n]=$!
    done
    for n in "${!running[@]}"; do
        status=0
        # bash's own word about the abort is not wanted.
        wait "${running[$n]}" 2>/dev/null || status=$?
        log=$logs/$n
        # 134: SIGABRT, which the watchdog raises.
        if [ "$status" -ne 134 ] || ! grep -q '^sixtyone: chaos: a ready was dropped$' "$log" ||
            ! grep -q '^stress: watchdog: ' "$log"; then
            cat "$log" >&2
            die "ready number $n was dropped and the watchdog did not see it (status $status)"
        fi
        echo "chaos.sh: ready number $n dropped: $(sed -n 's/^stress: watchdog: \(.*\);.*/\1/p' "$log")"
        caught=$((caught + 1))
    done
done
echo "$caught passed, 0 failed"
