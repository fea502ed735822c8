#!/usr/bin/env bash
# One stress run under AddressSanitizer or ThreadSanitizer. Any report fails it.
#
#   ci/sanitize.sh address
#   ci/sanitize.sh thread [--seed N]
#
# The sanitizers are unstable options, so a stable compiler is told to act as its own nightly. Std is used as it comes,
# that is, uninstrumented; what ThreadSanitizer gets wrong because of that is in tsan.supp, with reasons.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-}
shift || true
case $kind in
    address)
        flags="-Zsanitizer=address --cfg sixtyone_asan"
        # Goroutines that die with their runtime keep what they hold, and LeakSanitizer does not look for pointers
        # in our stacks and slots.
        export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1:abort_on_error=0:exitcode=66"
        ;;
    thread)
        flags="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg sixtyone_tsan"
        export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp:halt_on_error=0:exitcode=66:second_deadlock_stack=1"
        ;;
    *)
        echo "sanitize.sh: address or thread, not '$kind'" >&2
        exit 2
        ;;
esac

target=x86_64-unknown-linux-gnu
dir=${SANITIZE_TARGET_DIR:-$PWD/target-$kind}
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" cargo build -q --release --target "$target" --target-dir "$dir" --no-default-features --example stress
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
SIXTYONE_WATCHDOG=${SIXTYONE_WATCHDOG:-300} "$dir/$target/release/examples/stress" "$@" 2>&1 | tee "$log" || status=$?
reports=$(grep -c -E '^(WARNING: ThreadSanitizer|==[0-9]+==ERROR: AddressSanitizer|==[0-9]+==WARNING)' "$log" || true)
parks=$(sed -n 's/^stress: ok: [0-9]* scenarios, \([0-9]*\) parks$/\1/p' "$log")
if [ "$status" -ne 0 ] || [ "$reports" -ne 0 ] || [ -z "$parks" ]; then
    echo "sanitize.sh: $kind: FAILED (status $status, $reports reports)" >&2
    exit 1
fi
echo "sanitize.sh: $kind: $parks parks, no report"
echo "1 passed, 0 failed"
