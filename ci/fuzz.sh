#!/usr/bin/env bash
# Fuzzes what reads messages of peers (fuzz/), by libFuzzer, which needs no nightly compiler this way; and shows that it finds
# something: two mistakes are planted, one for each codec, and must be found.
#
#   ci/fuzz.sh           60 s for the two of them, side by side
#   ci/fuzz.sh 3600      an hour
#   cargo fuzz run frames    the same by cargo-fuzz, with AddressSanitizer (nightly)
#
# Exit status: 1 an input fails, and is printed; 2 it could not be built, or a planted mistake was not found.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ && $seconds -gt 0 ]] || { echo "fuzz.sh: how many seconds? '$seconds' proves nothing"; exit 2; }
# Of a planted mistake; it takes a few seconds.
patience=60
target=$(rustc -vV | sed -n 's/^host: //p')
directory=${CARGO_TARGET_DIR:-target}/fuzz
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

# What cargo-fuzz sets, without a sanitizer. With --target, so that build scripts are not meant.
coverage="-Cpasses=sancov-module -Ccodegen-units=1"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
# build NAME CFG...: the programs, into a directory of that name.
build() {
    RUSTFLAGS="--cfg fuzzing $coverage ${*:2}" CARGO_TARGET_DIR="$directory" \
        cargo build -q --release --target "$target" >"$work/log" 2>&1 || { cat "$work/log"; exit 2; }
    mkdir "$work/$1"
    cp "$directory/$target/release/"{frames,json} "$work/$1"
}
# fuzz PROGRAMS CODEC SECONDS: with the corpus of the tree; what is new goes to a temporary one. It says what it does in
# $work/CODEC.log. In a process of its own, which it becomes.
fuzz() {
    mkdir -p "$work/$2"
    exec "$work/$1/$2" -max_total_time="$3" -max_len=4096 -rss_limit_mb=1024 -timeout=10 \
        -artifact_prefix="$work/" -print_final_stats=1 "$work/$2" "corpus/$2" >"$work/$2.log" 2>&1
}

passed=0
build plain
declare -A running
for codec in frames json; do
    fuzz plain "$codec" "$seconds" &
    running[$codec]=$!
done
# Meanwhile.
build planted '--cfg sixtyone_planted="frame" --cfg sixtyone_planted="json"'
for codec in frames json; do
    log=$work/$codec.log
    if ! wait "${running[$codec]}"; then
        grep -vE '^#[0-9]' "$log" | tail -n 60
        echo "fuzz.sh: $codec FAILED"
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -nE 's/^#[0-9]+.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz.sh: $codec: $runs inputs in $seconds s, $covered places covered"
    [ "${runs:-0}" -ge 1000 ] || { echo "fuzz.sh: that is too few"; exit 2; }
    passed=$((passed + 1))
done
for mistake in frame json; do
    codec=${mistake/%frame/frames}
    begun=$SECONDS
    if (fuzz planted "$codec" "$patience"); then
        echo "fuzz.sh: the mistake planted in $mistake was not found in $patience s"
        exit 2
    fi
    # It must be that one, and no other.
    case $mistake in
        frame) says='a body of [0-9]+ bytes|an allocation of [0-9]+ bytes' ;;
        json) says='an id that is none of ours' ;;
    esac
    grep -qE "$says" "$work/$codec.log" || { tail -n 40 "$work/$codec.log"; echo "fuzz.sh: another mistake than the planted one"; exit 2; }
    echo "fuzz.sh: the mistake planted in $mistake was found after $((SECONDS - begun)) s"
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"
