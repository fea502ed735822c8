#!/usr/bin/env bash
# Builds the crate for aarch64 and runs a choice of its tests under qemu-user. Not part of the gate: it downloads
# 250 MB the first time (a few seconds to a few minutes), and an emulated machine proves code, not speed.
#
#   ci/aarch64.sh              everything in TESTS below
#   ci/aarch64.sh lib:debug    only these lines of it
#   A64_KEEP_GOING=1           run all lines even if one fails
#
# Needs Debian 12 (or another apt system that has rustc-web at the version of Cargo.toml), dpkg-deb, cargo and a
# linker for build scripts. Needs no root and installs nothing: apt works on a state of its own, with arm64 added
# there and only there, and the packages are unpacked beside each other, not installed. All of it lies in
# target-aarch64/; `rm -r target-aarch64` leaves the machine as it was.
#
# What qemu-user 7.2 does that Linux does not; a test that depends on it cannot be in the list:
# - madvise(MADV_GUARD_INSTALL) answers 0 and installs nothing (so the probe must find that out: it is tested here);
# - membarrier answers 0 and does nothing;  epoll_pwait2 is ENOSYS;
# - a program cannot start another aarch64 one (no binfmt_misc), so tests that run themselves again do not work.
set -euo pipefail
cd "$(dirname "$0")/.."

# One line per run: <what>:<profile> [arguments for the test harness]
# <what> is `lib`, or the name of a file or folder in tests/.
TESTS=(
    "lib:debug"
    "lib:release"
)
# A run that takes longer than this many seconds is killed and counts as failed.
LIMIT=${A64_LIMIT:-900}

target=aarch64-unknown-linux-gnu
dir=$PWD/target-aarch64
tools=$dir/tools
root=$tools/root

die() {
    echo "aarch64: $*" >&2
    exit 1
}

# --- the tools -------------------------------------------------------------------------------------------------

# apt with its own lists, cache and idea of what is installed.
private_apt() {
    local tool=$1
    shift
    "$tool" -qq -o Dir::State="$tools/apt/state" -o Dir::State::status="$tools/apt/status" \
        -o Dir::Cache="$tools/apt/cache" -o APT::Architectures=amd64,arm64 -o APT::Sandbox::User=root "$@"
}

fetch_tools() {
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "needs an amd64 machine with dpkg and apt"
    rm -rf "$tools"
    mkdir -p "$tools/apt/state/lists/partial" "$tools/apt/cache/archives/partial" "$root" "$tools/bin"
    # What the machine has need not be fetched, but the tools themselves must be, wherever they are installed.
    awk -v RS= -v ORS='\n\n' '!/^Package: (rustc-web|cargo-web|rustdoc-web|rust-web-[^\n]*|libstd-rust-web[^\n]*|[^\n]*aarch64-linux-gnu[^\n]*|[^\n]*arm64-cross|gcc-[0-9]*-cross-base|crossbuild-essential-arm64|qemu-user-static)\n/' \
        /var/lib/dpkg/status >"$tools/apt/status"
    private_apt apt-get update || echo "aarch64: some package lists are missing; going on with the rest" >&2
    private_apt apt-get install -y --no-install-recommends --download-only \
        rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    # The arm64 standard library and the amd64 one belong to the same package and the same version.
    local version
    version=$(private_apt apt-cache policy rustc-web | awk '$1 == "Candidate:" { print $2 }')
    (cd "$tools/apt/cache/archives" && private_apt apt-get download "libstd-rust-web-dev:arm64=$version")
    local deb
    for deb in "$tools"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
    rm -rf "$tools/apt" "$root/usr/share"

    # The unpacked programs find their files relative to themselves, but not their shared libraries.
    local libs=$root/usr/lib/x86_64-linux-gnu
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$libs" "$root/usr/bin/rustc" >"$tools/bin/rustc"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q --sysroot=%q "$@"\n' \
        "$libs" "$root/usr/bin/aarch64-linux-gnu-gcc" "$root" >"$tools/bin/cc"
    printf '#!/bin/sh\nexec %q -L %q "$@"\n' \
        "$root/usr/bin/qemu-aarch64-static" "$root/usr/aarch64-linux-gnu" >"$tools/bin/qemu"
    chmod +x "$tools"/bin/*
    touch "$tools/complete"
}

[ -e "$tools/complete" ] || fetch_tools

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have=$("$tools/bin/rustc" --version | awk '{ print $2 }')
[ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    die "rustc-web is $have, Cargo.toml wants $wanted; rm -r target-aarch64 to look for a newer one"
"$tools/bin/qemu" --version | head -n 1
echo "rustc $have, $(cargo --version)"

# --- the tests -------------------------------------------------------------------------------------------------

# Flags for the host would reach the cross compiler through these.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTFLAGS
export RUSTC=$tools/bin/rustc
export CARGO_TARGET_DIR=$dir/build
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$tools/bin/cc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$tools/bin/qemu
export CC_aarch64_unknown_linux_gnu=$tools/bin/cc

runs=0 passed=0 failed=() log=$dir/log
for line in "${TESTS[@]}"; do
    read -r -a words <<<"$line"
    name=${words[0]}
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    what=${name%:*}
    case $what in
        lib) args=(--lib) ;;
        *) args=(--test "$what") ;;
    esac
    case ${name##*:} in
        release) args+=(--release) ;;
        debug) ;;
        *) die "$name: the profile is debug or release" ;;
    esac
    echo "== $line"
    runs=$((runs + 1))
    # Built first and apart, so that the time limit is the tests' own.
    if cargo test -q --target "$target" "${args[@]}" --no-run &&
        timeout "$LIMIT" cargo test -q --target "$target" "${args[@]}" -- "${words[@]:1}" 2>&1 | tee "$log"; then
        n=$(awk '/^test result: ok/ { n += $4 } END { print n + 0 }' "$log")
        passed=$((passed + n))
        [ "$n" -gt 0 ] || failed+=("$name (ran nothing)")
    else
        failed+=("$name")
    fi
    if [ ${#failed[@]} -gt 0 ] && [ -z "${A64_KEEP_GOING:-}" ]; then
        break
    fi
done

[ "$runs" -gt 0 ] || die "none of the runs asked for exists: $*"
[ ${#failed[@]} -eq 0 ] || die "FAILED: ${failed[*]}"
echo "aarch64: $runs runs, $passed tests passed"
