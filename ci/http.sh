#!/usr/bin/env bash
# http_hello beside hyper on tokio, may_minihttp and Go's net/http under wrk; memory of 10,000 idle connections and CPU of an
# idle server beside theirs. Prints Markdown tables of medians; see the head of benches/http/src/main.rs. About 4 minutes a round.
#
#   ci/http.sh                           5 rounds of all of it
#   ci/http.sh --rounds 3 idle cpu       some of it; --help lists what else can be chosen
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v wrk >/dev/null; then
    apt-get install -y wrk >/dev/null || { apt-get update >/dev/null && apt-get install -y wrk >/dev/null; }
fi
cargo build -q --release --manifest-path benches/http/Cargo.toml
exec "${CARGO_TARGET_DIR:-benches/http/target}/release/sixtyone-http" "$@"
