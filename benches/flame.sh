#!/usr/bin/env bash
# A flame graph of a server under telemetry, and what a write costs it: server on CPU 0, load generator on CPU 1.
#
#   benches/flame.sh SERVER OUT.svg [RATE]    SERVER: a linchpin program; RATE of values, 100k/s if not said
#
# Needs perf and inferno (cargo install inferno). The picture has no script in it; names show when pointed at.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/environment.sh
. tests/environment.sh
server=${1:?SERVER} picture=${2:?OUT.svg} rate=${3:-100k/s}
devices=1000 seconds=16 warm=6
PATH=$PATH:$LINCHPIN_CACHE/tools/bin:$HOME/.cargo/bin
for tool in perf inferno-collapse-perf inferno-flamegraph; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: sudo apt-get install -y linux-perf; cargo install inferno" >&2; exit 2; }
done
cargo build --release --locked --quiet --package loadgen
work=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null || true; rm -rf "$work"' EXIT
taskset -c 0 "$server" dev --data "$work/data" --shards 1 --plain 127.0.0.1:0 --tls off --devices "$devices" \
    --tokens-out "$work/tokens" --ready-file "$work/ready" --set messages_per_second=100000 --set message_burst=100000 \
    >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 240); do
    [ -s "$work/ready" ] && break
    kill -0 "$pid" 2>/dev/null || { cat "$work/log" >&2; exit 2; }
    sleep 0.25
done
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/ready" "$1"; }
cpu_ns() { cat "/proc/$pid/task/"*/schedstat | awk '{sum += $1} END {printf "%.0f", sum}'; }
frames() { curl -s "http://$(field metrics)/metrics" | awk '/^linchpin_frames_total/ {sum += $2} END {printf "%.0f", sum}'; }

taskset -c 1 "$CARGO_TARGET_DIR/release/loadgen" quick -k telemetry -c "$devices" -r "$rate" -d "${seconds}s" --ramp 2s --quiet \
    --tokens "$work/tokens" "$(field plain)" >"$work/load" &
load=$!
sleep "$warm"
cpu=$(cpu_ns) count=$(frames)
perf record --quiet --event cpu-clock --freq 1999 --call-graph fp --pid "$pid" --output "$work/perf" -- sleep $((seconds - warm)) >/dev/null 2>&1
cpu=$(($(cpu_ns) - cpu)) count=$(($(frames) - count))
wait "$load" || true
tail -n 3 "$work/load"
[ "$count" -gt 0 ] || { echo "no frames were counted" >&2; exit 2; }
perf script --input "$work/perf" --no-inline 2>/dev/null | inferno-collapse-perf >"$work/folded"
inferno-flamegraph --title "Telemetry, $((count / (seconds - warm))) frames/s, $((cpu / count)) ns of CPU each" --minwidth 0.4 \
    --hash <"$work/folded" | python3 -c '
import re, sys
text = re.sub(r"<script.*?</script>", "", sys.stdin.read(), flags=re.S)
print(re.sub(r" onload=\"[^\"]*\"", "", text))' >"$picture"
echo "$picture: $count frames, $((cpu / count)) ns of CPU each, all threads"
