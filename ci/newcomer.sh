#!/usr/bin/env bash
# What a newcomer does by the README, in an empty directory: clones the repository, runs the README's commands in the order in
# which they stand there, and the program it opens with in a package of its own. Fails if that takes more than ten minutes.
# Not part of the gate, which runs the same commands in the tree that it checks.
#
# What is cloned is what is committed. Crates that cargo has downloaded before are not downloaded again; all is built anew.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=600
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unset RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR GOMAXPROCS

passed=0 spent=0
# try NAME FILE: runs a file of shell commands in the clone, in what is left of the ten minutes.
try() {
    local at=$SECONDS status=0 took
    (cd "$place/sixtyone" && timeout "$((limit - spent))" bash -euo pipefail "$2") >"$place/log" 2>&1 </dev/null || status=$?
    took=$((SECONDS - at))
    spent=$((spent + took))
    if [ "$status" -ne 0 ] || [ "$spent" -ge "$limit" ]; then
        tail -n 60 "$place/log"
        echo "newcomer.sh: $1: FAILED after $took s, $spent s in all (status $status)"
        exit 1
    fi
    echo "newcomer.sh: $1: $took s"
    passed=$((passed + 1))
}

git -c advice.detachedHead=false -c init.defaultBranch=main clone -q "$PWD" "$place/sixtyone"
# Each block of commands has its name in a comment above it.
mkdir "$place/blocks"
awk -v dir="$place/blocks" '
    /^<!-- [a-z]+ -->$/ { name = $2 }
    /^```sh$/ { file = sprintf("%s/%02d-%s", dir, ++n, name == "" ? "unnamed" : name); name = ""; next }
    /^```$/ { file = "" }
    file != "" { print > file }
' "$place/sixtyone/README.md"
for wanted in main test own; do
    compgen -G "$place/blocks/*-$wanted" >/dev/null || { echo "newcomer.sh: the README has no commands <!-- $wanted -->"; exit 1; }
done
for block in "$place"/blocks/*; do
    try "${block##*-}" "$block"
done

# The package that those made is to have the README's program.
sed -n '/^```rust$/,/^```$/p' "$place/sixtyone/README.md" | sed '1d;/^```$/,$d' >"$place/hello/src/main.rs"
echo 'cd ../hello && cargo run' >"$place/program"
try program "$place/program"
[ "$(tail -n 1 "$place/log")" = 385 ] || { tail -n 5 "$place/log"; echo "newcomer.sh: the README's program does not print 385"; exit 1; }
echo "newcomer.sh: $spent s in all"
echo "$passed passed, 0 failed"
