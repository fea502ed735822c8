#!/usr/bin/env bash
# What comes with the crate: the README's counts of crates are true, and each crate's licence lets us use it, those of the tests
# and of other platforms, too.
set -euo pipefail
cd "$(dirname "$0")/.."

# SPDX identifiers, each for all that has it alone or offers it.
allowed='Apache-2.0 Apache-2.0_WITH_LLVM-exception BSD-2-Clause BSD-3-Clause ISC MIT Unicode-3.0 Unlicense Zlib'
checks=0
die() {
    echo "dependencies.sh: $*" >&2
    exit 1
}

# The README says "N crates (`cargo tree OPTIONS`)"; they are counted without ours.
claims=$(grep -oE '[0-9]+ crates? \(`cargo tree [^`]*`\)' README.md) || die "the README counts no crates"
while read -r said _ command; do
    command=${command#(\`} command=${command%\`)}
    # shellcheck disable=SC2086
    found=$($command --prefix none --no-dedupe | sort -u | grep -vc '^sixtyone ')
    [ "$said" = "$found" ] || die "the README says that \`$command\` has $said crates; it has $found"
    echo "$command: $found crates"
    checks=$((checks + 1))
done <<<"$claims"

# allowed_by EXPRESSION: with 1 for each licence that is allowed and 0 for others, C's operators bind as SPDX's do. A slash is how
# older packages write OR.
allowed_by() {
    local word sum=
    for word in $(sed 's/ WITH /_WITH_/g; s|/| OR |g; s/[()]/ & /g' <<<"$1"); do
        case $word in
            AND) sum+=' &&' ;;
            OR) sum+=' ||' ;;
            '(' | ')') sum+=" $word" ;;
            *) if [[ " $allowed " == *" $word "* ]]; then sum+=' 1'; else sum+=' 0'; fi ;;
        esac
    done
    [ $((sum)) -eq 1 ]
}
# It can tell them apart.
for good in MIT 'MIT/GPL-3.0' '(MIT OR X) AND Zlib' 'GPL-2.0 OR Apache-2.0 WITH LLVM-exception'; do
    allowed_by "$good" || die "$good is allowed"
done
for bad in '' GPL-3.0 'MIT AND GPL-3.0' '(MIT OR X) AND X' 'GPL-2.0 WITH LLVM-exception'; do
    ! allowed_by "$bad" || die "$bad is not allowed"
done

licences=$(cargo tree --all-features --target all -e normal,build,dev --prefix none --no-dedupe --format '{p}|{l}' | sort -u)
refused=
while IFS='|' read -r package licence; do
    allowed_by "$licence" || refused+=$'\n'"    $package: ${licence:-no licence}"
    checks=$((checks + 1))
done <<<"$licences"
[ -z "$refused" ] || die "licences that the list at the head of this script does not have:$refused"
echo "$checks passed, 0 failed"
