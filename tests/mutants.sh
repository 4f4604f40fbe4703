#!/usr/bin/env bash
# Takes out one check of the access to people's things after the other and shows which tests turn red: a check that can go
# without a test that fails is not tested. Run by hand, it takes about an hour; CI does not run it.
#
#   tests/mutants.sh             all lines of tests/mutants/list
#   tests/mutants.sh 7 12 31     only these
#
# The switches (`LINCHPIN_MUTANT=N`) are in tests/mutants/switches.patch and in no program that is given out: the patch is
# applied to a copy of the last commit, in a folder of its own. A line of the list is
#
#   NUMBER | what is taken out | where: matrix ROWS, unit TEST, protocol TEST or e2e FILE TEST
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
if [ -s "$LINCHPIN_CACHE/rocksdb.env" ]; then . "$LINCHPIN_CACHE/rocksdb.env"; fi

copy=${LINCHPIN_MUTANTS:-$CARGO_TARGET_DIR/mutants}
list=$PWD/tests/mutants/list
patch=$PWD/tests/mutants/switches.patch
rm -rf "$copy"
mkdir -p "$copy"
git archive HEAD | tar -x -C "$copy"
patch --quiet --strip=1 --directory "$copy" <"$patch"

# A folder of its own: cargo takes the copy's crates for those of this tree, and would leave programs with switches here.
built=$copy-built
echo "== build"
cargo build --quiet --target-dir "$built" --manifest-path "$copy/Cargo.toml" --package linchpin --package loadgen --package linchpin-bench-runtimes
cp "$built/debug/linchpin" "$copy/linchpin-mutant"
cargo test --quiet --no-run --target-dir "$built" --manifest-path "$copy/Cargo.toml" --package linchpin-control --package linchpin-protocol --lib
cargo test --quiet --no-run --package linchpin-e2e --test permissions --test threats

# What a line runs, with the switch of its number; its status is that of the tests.
run() {
    local kind=$1
    shift
    case $kind in
        matrix) LINCHPIN_BIN=$copy/linchpin-mutant LINCHPIN_ROWS=${1:-} cargo test --package linchpin-e2e --test permissions ;;
        e2e) LINCHPIN_BIN=$copy/linchpin-mutant cargo test --package linchpin-e2e --test "$1" "$2" ;;
        unit) cargo test --target-dir "$built" --manifest-path "$copy/Cargo.toml" --package linchpin-control --lib "$1" ;;
        protocol) cargo test --target-dir "$built" --manifest-path "$copy/Cargo.toml" --package linchpin-protocol --lib "$1" ;;
        *) echo "unknown place $kind" >&2; return 0 ;;
    esac
}

seen=0 unseen=0 failed=0
while IFS='|' read -r number what where; do
    number=${number// /}
    [[ $number =~ ^[0-9]+$ ]] || continue
    if [ $# -gt 0 ] && [[ " $* " != *" $number "* ]]; then continue; fi
    read -ra words <<<"$where"
    log=$copy/$number.log
    # The rest of the list is not for whatever reads its standard input.
    if LINCHPIN_MUTANT=$number timeout 900 bash -c "$(declare -f run); copy=$copy; built=$built; run ${words[*]}" >"$log" 2>&1 </dev/null; then
        echo "$number NOT SEEN:$what(${words[*]})"
        unseen=$((unseen + 1))
    elif grep -q "panicked\|FAILED\|cells are not as expected" "$log"; then
        echo "$number seen:$what(${words[*]}: $(grep -o "[0-9]* of [0-9]* cells are not as expected\|[0-9]* failed" "$log" | head -1))"
        seen=$((seen + 1))
    else
        echo "$number NOT RUN:$what(see $log)"
        failed=$((failed + 1))
    fi
done <"$list"
echo "== $seen seen, $unseen not seen, $failed not run"
exit $((unseen + failed > 0))
