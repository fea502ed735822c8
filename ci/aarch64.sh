#!/usr/bin/env bash
# Builds the crate for aarch64 and runs a choice of its tests under qemu-user. Not part of the gate: it fetches 230 MB the
# first time, and an emulator proves code, not speed and not memory ordering (it runs on this machine's strong one).
#
#   ci/aarch64.sh              every line of RUNS below
#   ci/aarch64.sh lib stress   the lines that contain one of these words
#   ci/aarch64.sh smoke        a few minutes: does it build, switch, report an overflow, and come through a stress run?
#
# Wants amd64, apt with a rustc-web that is new enough (Debian 12 has it, in its security archive), cargo, and a linker for
# build scripts; not root. It installs nothing: apt works on a state of its own, which alone knows of arm64, and the packages
# are unpacked beside each other. All of it (1.3 GB) lies in target-aarch64/, and `rm -r target-aarch64` is the way back.
#
# What qemu-user 7.2 does otherwise than Linux, so what cannot be tested here:
# - madvise(MADV_GUARD_INSTALL) says 0 and installs nothing: the probe finds out, stacks get their guards by mprotect;
# - membarrier says 0 and does nothing; epoll_pwait2 is ENOSYS;
# - a thread that ends leaves 280 KiB behind, and is listed in /proc/self/task for a while after it was joined, so tests
#   that count a process's threads or memory are skipped;
# - a test that starts an aarch64 program needs the kernel to know what to do with one: see `with_binfmt`.
set -euo pipefail
cd "$(dirname "$0")/.."

# <profile> lib                  [arguments for the harness]
# <profile> test <name>          [arguments for the harness]
# <profile> example <name>       [arguments for the example]     counts as one test, passed if it exits with 0
RUNS=(
    "debug lib"
    "release lib"
    "debug test all"
    "release test all"
    "release test panic"
    "release test stack_overflow"
    "release test environment"
    "release test shutdown --skip a_ghost_costs --skip a_runtime_that_ends --skip threads_go"
    "release test wordcount"
    "release example stress"
)
SMOKE=(
    "release lib"
    "release test stack_overflow"
    "release example stress"
)
# Tests that start programs of ours. Where `with_binfmt` does not work they are left out, and the last line says so.
STARTERS=" wordcount panic shutdown stack_overflow environment "
# Seconds after which a run is killed and has failed.
LIMIT=${AARCH64_LIMIT:-900}

if [ "${1:-}" = smoke ]; then
    RUNS=("${SMOKE[@]}")
    shift
fi

target=aarch64-unknown-linux-gnu
dir=$PWD/target-aarch64
tools=$dir/tools
root=$tools/root

die() {
    echo "aarch64: $*" >&2
    exit 1
}

# --- the tools ---

# apt with lists, a cache and an idea of what is installed of its own.
private() { "$1" -qq -c "$tools/apt/conf" "${@:2}"; }

fetch_tools() {
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "wants an amd64 machine with dpkg and apt"
    rm -rf "$tools"
    mkdir -p "$tools/apt/state/lists/partial" "$tools/apt/cache/archives/partial" "$root" "$tools/bin"
    cat >"$tools/apt/conf" <<END
Dir::State "$tools/apt/state";
Dir::State::status "$tools/apt/status";
Dir::Cache "$tools/apt/cache";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
// What the machine does after its own updates, such as emptying its own cache.
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
END
    # What the machine has need not be fetched; but the tools are, even if it has them.
    local ours='rustc-web|cargo-web|rustdoc-web|rust-web-.*|libstd-rust-web.*|.*aarch64-linux-gnu.*|.*-arm64-cross'
    ours="^Package: ($ours|gcc-[0-9]*-cross-base|crossbuild-essential-arm64|qemu-user-static)\$"
    awk -v RS= -v ORS='\n\n' -F '\n' -v ours="$ours" '$1 !~ ours' /var/lib/dpkg/status >"$tools/apt/status"
    private apt-get update || echo "aarch64: some package lists are missing; going on with the others" >&2
    private apt-get install -y --no-install-recommends --download-only \
        rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    # The standard library for arm64, of the same version as the one for amd64 that came with rustc.
    local version deb
    version=$(private apt-cache policy rustc-web | awk '$1 == "Candidate:" { print $2 }')
    (cd "$tools/apt/cache/archives" && private apt-get download "libstd-rust-web-dev:arm64=$version")
    for deb in "$tools"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
    rm -rf "$tools/apt" "$root/usr/share"

    # Unpacked programs find their own files, but not their shared libraries.
    local libs=$root/usr/lib/x86_64-linux-gnu
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$libs" "$root/usr/bin/rustc" >"$tools/bin/rustc"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q --sysroot=%q "$@"\n' \
        "$libs" "$root/usr/bin/aarch64-linux-gnu-gcc" "$root" >"$tools/bin/cc"
    ln -s ../root/usr/bin/qemu-aarch64-static "$tools/bin/qemu"
    chmod +x "$tools"/bin/{rustc,cc}
    touch "$tools/complete"
}

# Runs a command where the kernel starts aarch64 programs by qemu: in a user namespace, which has a binfmt_misc of its own
# since Linux 6.7. The machine's is not touched. An inner namespace gives the caller's ids back.
with_binfmt() {
    # The head of an aarch64 ELF file: 64 bits, little endian, type 2 or 3, machine 183.
    local elf='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    # shellcheck disable=SC2016
    unshare --user --map-root-user --mount sh -euc '
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        printf %s "$1" >/proc/sys/fs/binfmt_misc/register
        ids=$2
        shift 2
        exec unshare --user --map-user="${ids%:*}" --map-group="${ids#*:}" "$@"' \
        sh ":qemu-aarch64:M::$elf:$mask:$tools/bin/qemu:F" "$(id -u):$(id -g)" "$@"
}

[ -e "$tools/complete" ] || fetch_tools

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have=$("$tools/bin/rustc" --version | awk '{ print $2 }')
printf '%s\n' "$wanted" "$have" | sort -VC ||
    die "rustc-web is $have, Cargo.toml wants $wanted; rm -r target-aarch64 to look for a newer one"
echo "rustc $have; $("$tools/bin/qemu" --version | head -n 1)"

# --- the runs ---

# Flags for this machine would reach the other's compiler.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
export RUSTC=$tools/bin/rustc
export CARGO_TARGET_DIR=$dir/build
export CARGO_BUILD_TARGET=$target
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$tools/bin/cc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$tools/bin/qemu
export CC_aarch64_unknown_linux_gnu=$tools/bin/cc
export QEMU_LD_PREFIX=$root/usr/aarch64-linux-gnu

log=$dir/log
in_binfmt=()
if with_binfmt true 2>"$log"; then in_binfmt=(with_binfmt); fi

logged() {
    "$@" >"$log" 2>&1 || {
        tail -n 120 "$log"
        echo "== $line: FAILED"
        exit 1
    }
}

# `timeout` cannot call a function, so the time limit is inside.
limited() { "${in_binfmt[@]}" timeout "$LIMIT" "$@"; }

passed=0 runs=0 left_out=()
for line in "${RUNS[@]}"; do
    # shellcheck disable=SC2206
    words=($line)
    if [ $# -gt 0 ]; then
        asked=
        for word; do [[ " $line " != *" $word "* ]] || asked=yes; done
        [ -n "$asked" ] || continue
    fi
    profile=() what=("--${words[1]}") rest=2
    [ "${words[0]}" != release ] || profile=(--release)
    if [ "${words[1]}" != lib ]; then
        what+=("${words[2]}")
        rest=3
        if [ ${#in_binfmt[@]} -eq 0 ] && [[ $STARTERS == *" ${words[2]} "* ]]; then
            left_out+=("${words[2]}")
            continue
        fi
        # cargo does not build an example for the test of the same name that starts it.
        if [ -e "examples/${words[2]}" ]; then logged cargo build "${profile[@]}" --example "${words[2]}"; fi
    fi
    # Built apart from the run, so that the limit is the tests' own.
    case ${words[1]} in
        example)
            at=$SECONDS
            logged limited cargo run -q "${profile[@]}" "${what[@]}" -- "${words[@]:rest}"
            count=1
            ;;
        *)
            logged cargo test "${profile[@]}" "${what[@]}" --no-run
            at=$SECONDS
            logged limited cargo test "${profile[@]}" "${what[@]}" -- "${words[@]:rest}"
            count=$(sed -nE 's/^test result: ok\. ([0-9]+) passed.*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
            ;;
    esac
    [ "$count" -gt 0 ] || die "$line: ran no tests"
    echo "== $line: $count passed, $((SECONDS - at)) s"
    passed=$((passed + count)) runs=$((runs + 1))
done

[ "$runs" -gt 0 ] || die "nothing was run${*:+ for: $*}"
[ ${#left_out[@]} -eq 0 ] || echo "left out, because no binfmt_misc of our own can be had here: ${left_out[*]}"
echo "$passed passed, 0 failed"
