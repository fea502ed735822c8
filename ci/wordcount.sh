#!/usr/bin/env bash
# The README's main command on the toolchain's documentation, against the same count by Unix tools.
# `ci/wordcount.sh speed` also times it on 2 Ps against --sequential: 5 alternating runs, medians.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(rustc --print sysroot)/share/doc/rust/html
if [ ! -d "$dir" ]; then
    # A toolchain without documentation: the sources of the dependencies will do.
    dir=${CARGO_HOME:-$HOME/.cargo}/registry/src
fi
ext=html
[ -n "$(find "$dir" -name '*.html' -type f -print -quit)" ] || ext=rs

want=$(find "$dir" -name "*.$ext" -type f -print0 | LC_ALL=C xargs -0 sed -s '$a\' | LC_ALL=C tr -s ' \t\n\v\f\r' '\n' | LC_ALL=C grep -ac .)
cargo build --release --example wordcount
program=${CARGO_TARGET_DIR:-target}/release/examples/wordcount
total() { "$program" --ext "$ext" "$@" "$dir" | sed -nE 's/^words +([0-9]+)$/\1/p'; }
checks=0
for mode in "" --sequential "--width 1" "--width 7"; do
    # shellcheck disable=SC2086
    got=$(total $mode)
    if [ "$got" != "$want" ]; then
        echo "wordcount $mode: $got words, the Unix tools count $want"
        exit 1
    fi
    checks=$((checks + 1))
done
echo "$want words in $dir, $checks ways"

if [ "${1:-}" = speed ]; then
    for _ in 1 2 3 4 5; do
        for mode in --sequential ""; do
            at=$(date +%s%N)
            # shellcheck disable=SC2086
            GOMAXPROCS=2 "$program" --ext "$ext" $mode "$dir" >/dev/null
            echo "${mode:-parallel} $((($(date +%s%N) - at) / 1000))"
        done
    done | sort -k1,1 -k2,2n | awk '{ t[$1] = t[$1] " " $2 } END { for (m in t) { split(t[m], a); print m ": median " a[3] " us of" t[m]; med[m] = a[3] } print "ratio " med["--sequential"] / med["parallel"] }'
fi
echo "$checks passed, 0 failed"
