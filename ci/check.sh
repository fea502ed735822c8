#!/usr/bin/env bash
# Every check, one named step a line. Each prints how much it ran; a step that ran nothing fails.
# `ci/check.sh NAME...` runs only the steps of these names.
set -euo pipefail
cd "$(dirname "$0")/.."

only=("$@")
ran=0
began=$SECONDS
log=$(mktemp)
tests_log=$(mktemp)
trap 'rm -f "$log" "$tests_log"' EXIT

# step NAME UNIT PATTERN COMMAND...: runs the command; the numbers in what PATTERN finds in its output (a sed expression that
# leaves one number a line) are summed up and must not be 0.
step() {
    local name=$1 unit=$2 pattern=$3
    shift 3
    if [ ${#only[@]} -gt 0 ] && [[ ! " ${only[*]} " == *" $name "* ]]; then return 0; fi
    local at=$SECONDS
    echo "== $name: $*"
    if ! "$@" >"$log" 2>&1; then
        tail -n 120 "$log"
        echo "== $name: FAILED after $((SECONDS - at)) s"
        exit 1
    fi
    local count
    count=$(sed -nE "$pattern" "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    if [ "$count" -eq 0 ]; then
        tail -n 40 "$log"
        echo "== $name: FAILED: it ran no $unit"
        exit 1
    fi
    ran=$((ran + 1))
    echo "== $name: $count $unit, $((SECONDS - at)) s"
}

tests='s/^test result: ok\. ([0-9]+) passed.*/\1/p'
counted='s/^([0-9]+) passed, 0 failed$/\1/p'

formatted() { cargo fmt --check && git ls-files '*.rs' | wc -l; }
linted() { cargo clippy --all-targets --all-features --message-format short -- -D warnings && git ls-files '*.rs' | wc -l; }
documented() {
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --all-features 2>&1 && git ls-files 'src/*.rs' | wc -l
}
# What an optimising compiler can break: thread-locals, stacks, races and their full number of rounds, traces.
released() {
    cargo test --release --lib --test all --test net --test stack_overflow --test shutdown --test dump --test select_memory \
        -- --show-output
}
# Each feature alone, and none (`clippy` has all): what is there then compiles without a warning, its tests pass. By default there is
# `rpc` alone, which `tests` tests.
featured() {
    local feature
    for feature in rpc rustls durable; do
        cargo clippy --lib --no-default-features --features "$feature" -- -D warnings || return
    done
    cargo clippy --all-targets --no-default-features -- -D warnings && cargo test --no-default-features --lib --test layers &&
        cargo test --features rustls --test rpc tls:: && cargo test --features durable --test rpc_durable
}
# The comparison with other runtimes: its own package, whose release build takes longer than this step may.
benched() {
    cargo clippy --manifest-path benches/compare/Cargo.toml --all-targets --message-format short -- -D warnings &&
        git ls-files 'benches/compare/*.rs' | wc -l
}
# Transfers between accounts, by a server that is killed again and again meanwhile.
killed() { cargo run -q --features durable --example rpc_bank -- --transfers 10000 --kills 20; }
sanitized() { ci/sanitize.sh address && ci/sanitize.sh thread; }
# with_named OPTION COMMAND...: the command's tests, among which those must be that READMEs name.
with_named() {
    "${@:2}" 2>&1 | tee "$tests_log" && ci/named.sh $1 "$tests_log"
}
# The README's test command, read from the README.
readme_tests() { bash -euo pipefail -c "$(sed -n '/<!-- test -->/,/```$/p' README.md | sed '1,/```sh/d;/```/d')"; }

step format   files    '$s/^([0-9]+)$/\1/p' formatted
step clippy   files    '$s/^([0-9]+)$/\1/p' linted
step docs     files    '$s/^([0-9]+)$/\1/p' documented
step tests    tests    "$tests"             with_named "" readme_tests
step features tests    "$tests"             featured
step killed   calls    's/.*, answered ([0-9]+),.*/\1/p' killed
step benches  files    '$s/^([0-9]+)$/\1/p' benched
step package  files    "$counted"           ci/package.sh
step crates   checks   "$counted"           ci/dependencies.sh
step release  tests    "$tests"             with_named --procs released
step loom     models   "$counted"           ci/loom.sh
step mutants  mutants  "$counted"           ci/mutants.sh --part "$(($(git rev-list --count HEAD) % 32))/32"
step stress   runs     "$counted"           ci/stress.sh 5 release
step debug    runs     "$counted"           ci/stress.sh 2 debug
step trouble  runs     "$counted"           ci/stress.sh 5 release --chaos
step migrate  runs     "$counted"           ci/stress.sh 5 release --chaos --migrate
step sanitizers runs   "$counted"           sanitized
step chaos    runs     "$counted"           ci/chaos.sh
step fuzz     checks   "$counted"           ci/fuzz.sh
step example  checks   "$counted"           ci/wordcount.sh

echo "$ran steps, $((SECONDS - began)) s"
if [ "$ran" -eq 0 ]; then
    echo "no such step: ${only[*]}"
    exit 1
fi
echo "$ran passed, 0 failed"
