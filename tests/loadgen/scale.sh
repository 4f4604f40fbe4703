#!/usr/bin/env bash
# One load generator, one server, very many devices that only send their heartbeat. Needs a machine without neighbours.
#
#   tests/loadgen/scale.sh plain 150000 OUT     150,000 devices on plain TCP, held 60 s; about 3 minutes, 3 GB
#   tests/loadgen/scale.sh tls 60000 OUT        60,000 over TLS, held 60 s; about 3 minutes
#   tests/loadgen/scale.sh plain 1000000 OUT    1,000,000 on plain TCP; about 8 minutes, 13 GB, most of it the kernel's
#
# OUT gets the files of the run (report.html, outcome.json). A finished OUT is shown again, not measured again; an
# interrupted run is made anew. Ends with loadgen's code: 0 for a VALID run without an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
transport=${1:-plain} devices=${2:-150000} out=${3:-$LINCHPIN_CACHE/scale-$transport-$devices}
case $transport in plain | tls) ;; *) echo "usage: $0 plain|tls DEVICES OUT" >&2; exit 1 ;; esac

if [ -f "$out/result" ]; then
    cat "$out/result"
    exit 0
fi
cargo build --release --locked --quiet --package linchpin --package loadgen
built=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
server=
sampler=
trap 'kill $server $sampler 2>/dev/null || true; rm -rf "$work"' EXIT
resident_kib() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
slab_kib() { awk '/^Slab/ {print $2}' /proc/meminfo; }
# The kernel's memory is given back when the run ends, so its peak is watched.
watch_slab() {
    local most=0 now
    while sleep 1; do
        now=$(slab_kib)
        if [ "$now" -gt "$most" ]; then most=$now && echo "$most" >"$work/slab.new" && mv "$work/slab.new" "$work/slab"; fi
    done
}

# Below 20,000 connections a shard: its ring's table of descriptors ends there.
"$built/linchpin" dev --plain 127.0.0.1:0 --tls 127.0.0.1:0 --shards $((devices / 16000 + 1)) --devices "$devices" \
    --connections $((devices + 2000)) --data "$work/data" --ready-file "$work/ready" --tokens-out "$work/tokens" \
    >"$work/log" 2>&1 &
server=$!
for _ in $(seq 240); do
    [ -s "$work/ready" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 2; }
    sleep 0.5
done
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/ready" "$1"; }

resident_before=$(resident_kib "$server") slab_before=$(slab_kib)
watch_slab &
sampler=$!

# A TLS handshake costs both sides about 0.6 ms of two cores; a plain login 0.2 ms.
rate=4000 security=()
if [ "$transport" = tls ]; then rate=800 security=(--ca "$(field ca)"); fi
code=0
"$built/loadgen" quick -c "$devices" -r 0/s -d 60s --ramp "$((devices / rate + 1))s" --h-beat 40s -t "$transport" \
    "${security[@]}" --metrics "$(field metrics)" --tokens "$work/tokens" --slo errors=0 --quiet --out "$out" \
    "$(field "$transport")" >"$work/result" || code=$?
cat "$work/result"
each() { echo "$(($2 / 1024)) MiB, $(($2 * 1024 / devices)) bytes a device: $1"; }
{
    each 'server, resident (with the store; it does not shrink when devices leave)' \
        $(($(resident_kib "$server") - resident_before))
    each 'kernel, both ends of each connection (slab, at its peak)' $(($(cat "$work/slab") - slab_before))
} | tee -a "$work/result"
# A run that is INVALID is made again.
[ "$code" != 0 ] || mv "$work/result" "$out/result"
exit "$code"
