#!/usr/bin/env bash
# Build Linchpin, start it, and let a virtual device and the real Python client exchange values through it.
# Uses free ports only, ends by itself, and leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh demo
# shellcheck source=tests/environment.sh
. tests/environment.sh

rocksdb=$(tests/rocksdb.sh)
eval "$rocksdb"
echo "Building Linchpin (about 4 minutes the first time, seconds after that)"
cargo build --release --locked --quiet --package linchpin
packaging/split-debug.sh "$CARGO_TARGET_DIR/release" linchpin
linchpin=$CARGO_TARGET_DIR/release/linchpin

folder=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT

"$linchpin" dev --plain 127.0.0.1:0 --tls 127.0.0.1:0 --data "$folder/data" --ready-file "$folder/ready.json" >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    [ -s "$folder/ready.json" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.1
done
[ -s "$folder/ready.json" ] || { echo "The server was not ready within 10 s:"; cat "$folder/log"; exit 1; }
console=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["console"])' "$folder/ready.json")
address=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["plain"])' "$folder/ready.json")
printf '\nLinchpin listens on %s. Two devices log in: a Python program and a virtual device.\n\n' "$address"

count=5
"$LINCHPIN_CLIENTS/venv/bin/python" tests/demo.py "$folder/ready.json" "$count" &
python=$!
# Numbers go to the Python device from the first on: wait until it is there.
for _ in $(seq 50); do
    "$linchpin" device list --data "$folder/data" --json | grep -q '"online":true' && break
    sleep 0.1
done
"$linchpin" device sim --ready-file "$folder/ready.json" --index 1 --bridge-index 2 --count "$count" --period 500ms |
    sed 's/^/virtual: /' | tee "$folder/virtual"
wait "$python" || { echo; echo "The Python client did not get its numbers. The server said:"; cat "$folder/log"; exit 1; }

# Both directions, from the receiver's side and from the server's.
value() {
    "$linchpin" device show "$1" --data "$folder/data" --json |
        python3 -c 'import json, sys
values = {v["pin"]: v["value"] for v in json.load(sys.stdin)["values"]}
print(values.get(sys.argv[1], "nothing"))' "$2"
}
from_virtual=$(value 3 V10) from_python=$(value 2 V11)
failed=0
[ "$from_virtual" = "$count" ] || failed=1
[ "$from_python" = $((2 * count)) ] || failed=1
grep -q 'received V11' "$folder/virtual" || failed=1
if [ "$failed" -ne 0 ]; then
    echo "An exchange is missing: V10 of the Python device is $from_virtual (wanted $count), V11 of the virtual device is" \
        "$from_python (wanted $((2 * count)))."
    cat "$folder/log"
    exit 1
fi
cat <<TEXT

It works. The virtual device wrote $count numbers to pin V10 of the Python device, the Python device sent each of them
back doubled to V11, and the server kept the last ones: V10 = $from_virtual, V11 = $from_python.

What to type next:
  $linchpin dev          a server for your own devices; it prints the lines that a sketch changes
  $linchpin dev --lan    the same, for a board on your network
Its console is at http://127.0.0.1:8080/ then; the link that \`dev\` prints sets it up. This demo's was at $console
TEXT
