#!/usr/bin/env bash
# The tests that our READMEs name as the place of an idea: each must be in a run of `cargo test`, not ignored, and have passed.
#
#   cargo test --test all >LOG 2>&1; ci/named.sh LOG
#   cargo test --test all -- --show-output >LOG 2>&1; ci/named.sh --procs LOG    and over these numbers of Ps: 1, 2, 4, 8
#
# A test over other numbers of Ps has them behind its name in the README: `a::b` (1 P), `c::d` (2, 4 Ps).
set -euo pipefail
cd "$(dirname "$0")/.."

readmes=(tests/select/README.md tests/all/sync/README.md)
procs=
if [ "${1:-}" = --procs ]; then
    procs=yes
    shift
fi
[ $# -eq 1 ] && [ -r "$1" ] || { echo "named.sh: a log of \`cargo test\`, please" >&2; exit 2; }

# A line for each name in the last column of a table: the name, then the Ps.
names() {
    sed -nE 's/^\|.*\|([^|]*)\|$/\1/p' "${readmes[@]}" |
        { grep -oE '`[a-z_0-9]+(::[a-z_0-9]+)+`( \([0-9, ]+ Ps?\))?' || true; } |
        sed -E 's/^`([^`]*)`$/\1 1 2 4 8/; s/^`([^`]*)` \((.*) Ps?\)$/\1 \2/; s/,//g' | sort -u
}

# Of the log, only what the tests in tests/all said: which of them ran, and each number of Ps that one has announced.
names | awk -v procs="$procs" '
    NR == FNR { name = $1; $1 = ""; wanted[name] = $0; next }
    /^ +(Running|Doc-tests) / { ours = /tests\/all\/main\.rs/; next }
    !ours { next }
    /^test [a-z_0-9:]+ \.\.\. / { ran[$2] = $4; next }
    /^---- [a-z_0-9:]+ stdout ----$/ { of = $2; next }
    /^(failures|successes):$/ { of = ""; next }
    of != "" && match($0, /^(sixtyone::testing: )?[0-9]+ Ps/) { n = substr($0, 1, RLENGTH); gsub(/[^0-9]/, "", n); on[of, n] }
    END {
        for (name in wanted) {
            count++
            if (!(name in ran)) missing = missing "\n    " name ": there is no such test"
            else if (ran[name] ~ /^ignored/) missing = missing "\n    " name ": ignored"
            else if (ran[name] ~ /^FAILED/) missing = missing "\n    " name ": failed"
            else if (procs != "") {
                m = split(wanted[name], ps, " ")
                for (i = 1; i <= m; i++)
                    if (!((name, ps[i]) in on)) missing = missing "\n    " name ": did not run on " ps[i] " Ps"
            }
        }
        if (missing != "" || count < 100) { print "named.sh: of " count + 0 " tests:" missing; exit 1 }
        print "named.sh: " count " tests that READMEs name have run" (procs != "" ? ", each on its numbers of Ps" : "")
        print count " passed, 0 failed"
    }
' - "$1"
