#!/usr/bin/env bash
# Everything that `make test` checks, phase by phase; a table of times at the end.
#
#   tests/run.sh            all phases
#   tests/run.sh fmt deny   only these
#
# A phase that fails does not hide the others; the status at the end tells.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

export LINCHPIN_LEFT_OUT=$LINCHPIN_CACHE/left-out
mkdir -p "$LINCHPIN_CACHE"
rm -f "$LINCHPIN_LEFT_OUT"

all_phases=(fmt console rocksdb clippy build units sim compat e2e loadgen budgets deny)
results=()
failed=0

fmt() {
    cargo fmt --all --check
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
}
# RocksDB's library is compiled once per machine; the lines that name it come back on standard output.
rocksdb() { tests/rocksdb.sh >"$LINCHPIN_CACHE/rocksdb.env"; }
# First the browser application: what is built later embeds it.
console() { tests/console.sh test; }
clippy() { cargo clippy --workspace --all-targets --quiet -- -D warnings; }
build() { cargo build --package linchpin --package loadgen --package linchpin-bench-runtimes; }
# The driver, the codec, the shard, the control plane, storage, the corpus of the fuzzers and the tree's own rules.
units() {
    cargo test --no-fail-fast --workspace --exclude linchpin-sim --exclude linchpin-compat --exclude linchpin-e2e \
        --exclude linchpin-loadgen-tests
}
sim() { cargo test --no-fail-fast --package linchpin-sim; }
compat() { cargo test --no-fail-fast --package linchpin-compat; }
e2e() { cargo test --no-fail-fast --package linchpin-e2e; }
# One after the other: a generator that shares the machine with another judges its own runs invalid.
loadgen() { cargo test --no-fail-fast --package linchpin-loadgen-tests -- --test-threads=1; }
# Instructions and allocations of the hot paths: a release build, since that is what is counted.
budgets() {
    cargo build --release --locked --package linchpin-bench-core --bin budgets
    "$CARGO_TARGET_DIR/release/budgets" benches/core/budgets.toml
}
# Licences, banned crates and sources. Advisories need a database from the network and are not part of this.
deny() { "$LINCHPIN_CACHE/tools/bin/cargo-deny" --log-level warn check licenses bans sources; }

phase() {
    local name=$1 begun=$SECONDS outcome=ok
    printf '\n== %s\n' "$name"
    # The environment of RocksDB holds for all phases after its own.
    if [ -s "$LINCHPIN_CACHE/rocksdb.env" ]; then . "$LINCHPIN_CACHE/rocksdb.env"; fi
    # A phase stops at its first failing command, the run does not.
    set +e
    (set -e; "$name")
    [ $? -eq 0 ] || { outcome=FAILED; failed=1; }
    set -e
    results+=("$(printf '%-8s %-6s %5d s' "$name" "$outcome" $((SECONDS - begun)))")
}

# What only compiles, formats and lints needs no browser and no client.
tier=build
[ $# -gt 0 ] || tier=test
for name in "$@"; do
    case $name in fmt | rocksdb | clippy | build) ;; *) tier=test ;; esac
done
tests/setup.sh "$tier"
rm -f "$LINCHPIN_CACHE/rocksdb.env"
if [ $# -eq 0 ]; then set -- "${all_phases[@]}"; fi
# All that compiles needs RocksDB's library, also when only that phase is asked for.
for name in "$@"; do
    case $name in
    fmt | deny | console) ;;
    rocksdb) break ;;
    *) set -- rocksdb "$@"; break ;;
    esac
done
for name in "$@"; do
    case " ${all_phases[*]} " in
    *" $name "*) phase "$name" ;;
    *) echo "no phase $name; there are: ${all_phases[*]}" >&2; exit 2 ;;
    esac
done
# Tests that need root and were left out by LINCHPIN_LEAVE_OUT=1; without it they fail.
if [ -s "$LINCHPIN_LEFT_OUT" ]; then
    printf '\nLEFT OUT:\n'
    sort -u "$LINCHPIN_LEFT_OUT"
fi
printf '\n%s\n' "Phase    result  time"
printf '%s\n' "${results[@]}"
printf 'Total %d min %d s\n' $((SECONDS / 60)) $((SECONDS % 60))
exit "$failed"
