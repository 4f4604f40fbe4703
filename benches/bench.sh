#!/usr/bin/env bash
# What `make bench` and `make bench-full` do: measure part by part, then write one table.
#
#   benches/bench.sh core [OUT]     30 minutes at most: CPU, accept, memory and TLS beside other runtimes, 5 rounds
#   benches/bench.sh full [OUT]     170 minutes at most: 15 rounds, brokers, 1,000,000 connections, storage, storms
#   benches/bench.sh full OUT PART...     only these parts, such as peers and million, into the same table
#
# OUT (default: bench-core or bench-full in the cache folder) gets results.jsonl, table.md and table.json, and a text for
# each part. A part that is done is not done again: after an interruption the same command goes on, and a new OUT, or
# FRESH=1, begins anew. The machine must have nothing else to do.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/environment.sh
. tests/environment.sh
kind=${1:-core}
case $kind in core | full) ;; *) echo "usage: $0 core|full [OUT]" >&2; exit 2 ;; esac
out=${2:-$LINCHPIN_CACHE/bench-$kind}
wanted=" ${*:3} "
if [ "${FRESH:-}" = 1 ]; then rm -rf "$out"; fi
mkdir -p "$out"

tests/setup.sh demo
rocksdb=$(tests/rocksdb.sh) && eval "$rocksdb"
echo "Building"
cargo build --release --locked --quiet --package linchpin --package loadgen --package linchpin-fleet \
    --package linchpin-bench-runtimes --package linchpin-bench-compare --package linchpin-bench-peers \
    --package linchpin-bench-storage --package linchpin-bench-people --package linchpin-e2e
cargo bench --locked --quiet --package linchpin-bench-core --no-run 2>/dev/null
built=$CARGO_TARGET_DIR/release
server=$built/linchpin
failed=()

# part NAME COMMAND...: once; its text is kept.
part() {
    local name=$1
    shift
    if [ -f "$out/$name.txt" ]; then return 0; fi
    case $wanted in '  ' | *" $name "*) ;; *) return 0 ;; esac
    printf '\n== %s, %s\n' "$name" "$(date -u +%H:%M:%S)"
    if "$@" 2>&1 | tee "$out/$name.part"; then mv "$out/$name.part" "$out/$name.txt"; else failed+=("$name"); fi
}

# compare ROUNDS SECONDS MINUTES: what does not count, because the load generator was late, is measured once more as far as
# the minutes go; where it does not count again, the table says so.
compare() {
    local code=0 begun=$SECONDS rounds=(--rounds "$1" --seconds "$2") left
    "$built/bench-compare" run --results "$out" "${rounds[@]}" --time-limit-min "$3" || code=$?
    left=$(($3 - (SECONDS - begun + 59) / 60))
    [ "$code" -eq 3 ] || return "$code"
    [ "$left" -lt 1 ] ||
        "$built/bench-compare" run --results "$out" "${rounds[@]}" --time-limit-min "$left" || [ $? -ne 2 ]
}
memory() { "$built/fleet" memory --server-bin "$server" --results "$out" "$@"; }
bench() { LINCHPIN_BENCH_RESULTS=$out cargo bench --locked --quiet --package linchpin-bench-core --bench "$@"; }
people() { LINCHPIN_BIN=$server "$built/bench-people" "$@"; }
tls() { bench tls -- records && bench tls -- handshakes; }
keep() { "$built/bench-compare" keep --results "$out" "$@"; }

million() {
    local run=$out/million said=$out/million.said code=0 bytes
    tests/loadgen/scale.sh plain 1000000 "$run" | tee "$said" || code=$?
    # loadgen's 4: both ends share the cores, so latencies do not count. That all are held without an error, and what they
    # take, does; any other end is a failure.
    case $code in 0 | 4) grep -q 'SLO errors=0: met' "$said" || return 1 ;; *) return 1 ;; esac
    bytes() { sed -n "s/^.*, \([0-9-]*\) bytes a device: $1.*/\1/p" "$said"; }
    keep --row '1,000,000 connections' --subject linchpin --metric rss_bytes_per_connection --value "$(bytes server)"
    keep --row '1,000,000 connections' --subject kernel --metric slab_bytes_per_connection --value "$(bytes kernel)"
}

peers() {
    benches/peers/setup.sh || true
    "$built/bench-peers" --results "$out" --rounds 2
}

begun=$SECONDS
if [ "$kind" = core ]; then
    part compare compare 5 4 25
    part memory-plain memory --state memory --devices 19000 --shards 1 --rounds 1
    part memory-tls memory --state memory --tls in-place --devices 10000 --shards 1 --rounds 1
    part tls tls
else
    part compare compare 15 4 90
    part memory-plain memory --state memory --devices 19000 --shards 1 --rounds 3
    part memory-plain-4 memory --state memory --devices 60000 --shards 4 --rounds 3
    part memory-mqtt memory --state memory --wire mqtt --devices 19000 --shards 1 --rounds 3
    part memory-mqtt-4 memory --state memory --wire mqtt --devices 60000 --shards 4 --rounds 3
    part memory-store memory --devices 19000 --shards 1 --rounds 1
    part memory-tls memory --state memory --tls in-place --devices 10000 --shards 1 --rounds 1
    part memory-tls-4 memory --state memory --tls in-place --devices 60000 --shards 4 --rounds 1
    part tls tls
    part writes "$built/fleet" writes --server-bin "$server" --rounds 15
    part lanes bench lanes
    part timers bench timers
    part peers peers
    part million million
    part storage "$built/bench-storage"
    part people people scale
    part timing people timing
    part revocations env LINCHPIN_BIN="$server" "$built/revocations" 1000 200
    part logins env LINCHPIN_BIN="$server" "$built/wrong-logins" 1000 30 1000
    part storm "$built/fleet" storm --server-bin "$server" --state memory --tls in-place --devices 20000 --shards 2 --rounds 10
    part scrape "$built/fleet" scrape --server-bin "$server" --devices 60000 --shards 4 --rounds 3
    if command -v nginx >/dev/null; then
        part http "$built/fleet" http --server-bin "$server" --rounds 5
    else
        echo 'HTTP beside nginx is left out, nginx is missing: sudo apt-get install -y nginx-light'
    fi
fi
"$built/bench-compare" report "$out" --markdown "$out/table.md" --json "$out/table.json"
printf '\n%d minutes; %s and %s\n' $(((SECONDS - begun) / 60)) "$out/table.md" "$out/table.json"
if [ "${#failed[@]}" -gt 0 ]; then
    echo "Not whole: ${failed[*]}. The same command tries again what is missing." >&2
    exit 1
fi
