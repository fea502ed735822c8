#!/usr/bin/env bash
# Breaks each protocol on purpose, in a copy of the tree; its models (ci/loom.sh) must notice. What survives is a model that
# checks nothing, or code that nothing needs.
#
#   ci/mutants.sh            all (those of ci/mutants/*.sh)
#   ci/mutants.sh idle       those with this in their name
#   ci/mutants.sh --part 1/32    every thirty-second, from the first: the gate does another part on each commit
#
# A mutant whose old text is not there exactly once, or that does not compile, fails the step: it has to be brought up to date.
#
# Not here, because loom cannot see it, or it does not matter:
# - SeqCst for AcqRel at `Idle::counts`: loom takes all accesses for AcqRel, and only its fences are sequentially consistent;
#   the protocol needs no more, except for sysmon's nap, which is not modelled.
# - the orderings of `Ticket::claim`: `take`, which comes after it, acquires, too; whoever touches the waiter before that
#   holds its queue's lock; and whoever wins says so through a queue or a sleeper, which releases.
# - the acquire in `RawMutex::unlock_contended`: it takes minutes, LOOM_MAX_PREEMPTIONS=2 ci/loom.sh timed::nobody.
# - the limit in `RawRwLock::let_others_in` that is void when the writer has given up between two holds: too many states.
# - what becomes of a bell that its future has left to a holder: in a model each is lent once. `tests/all/future/cancel.rs` sees it.
# - the swap of `RawLock`: models use a compare-exchange in its place, see `prim`.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/target-mutants/tree
only=${1:-} part=0 parts=1
if [ "$only" = --part ]; then
    part=${2%/*} parts=${2#*/} only=
fi
seen=0
# The dependencies are the models'. (And so is the name of what is built of the crate, wherever the tree is: at the end the
# sources are touched, or ci/loom.sh would take the last mutant for them.)
export CARGO_TARGET_DIR=$root/${CARGO_TARGET_DIR:-target-loom}

rm -rf "$tree"
mkdir -p "$tree"
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
done | tar --null -T - -cf - | tar -C "$tree" -xf -
log=$(mktemp)
trap 'rm -f "$log"; rm -rf "$tree"; touch "$root/src/lib.rs"' EXIT

killed=0
fail() {
    tail -n 40 "$log"
    echo "mutants.sh: $*"
    exit 1
}

# mutant NAME FILE MODELS OLD NEW: in FILE, OLD becomes NEW; one of MODELS must fail.
mutant() {
    local name=$1 file=$2 models=$3 old=$4 new=$5
    if [[ $name != *"$only"* ]]; then return 0; fi
    seen=$((seen + 1))
    if [ $((seen % parts)) -ne "$part" ]; then return 0; fi
    local text rest
    text=$(<"$tree/$file")
    rest=${text#*"$old"}
    : >"$log"
    if [ "$rest" = "$text" ]; then fail "$name: the old text is not in $file"; fi
    if [ "${rest#*"$old"}" != "$rest" ]; then fail "$name: the old text is in $file more than once"; fi
    printf '%s\n' "${text%%"$old"*}$new$rest" >"$tree/$file"
    local at=$SECONDS status=0
    # shellcheck disable=SC2086
    timeout 120 "$tree/ci/loom.sh" $models >"$log" 2>&1 || status=$?
    # Written anew, not copied: what cargo looks at is the time.
    printf '%s\n' "$text" >"$tree/$file"
    case $status in
        0) ${SURVEY:-fail} "$name SURVIVED $models" ;;
        1) ;;
        *) ${SURVEY:-fail} "$name: no answer from the models (status $status)" ;;
    esac
    local by
    by=$(sed -nE "s/^thread 'loom_tests::([a-z_:]+)'.* panicked .*/\1/p" "$log" | sort -u | paste -sd ' ')
    # Memory that is gone says it in its own way.
    [ -n "$by" ] || by=$(sed -nE 's/.*\((signal: (11|7|6), [A-Z]+).*/a crash, \1/p' "$log" | tail -n 1)
    if [ -z "$by" ]; then fail "$name: no model says what is wrong"; fi
    killed=$((killed + 1))
    echo "$name: killed by $by, $((SECONDS - at)) s"
}

for list in idle run chan procs sync task; do
    # shellcheck source=/dev/null
    source "$root/ci/mutants/$list.sh"
done

if [ "$killed" -eq 0 ]; then
    echo "no such mutant: $only"
    exit 1
fi
echo "$killed passed, 0 failed"
