#!/usr/bin/env bash
# Power cuts by the hundred: tests/cuts.sh [COUNT]. Each line of the log is one batch of cuts; a run that was interrupted goes
# on with the next one. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
if [ -s "$LINCHPIN_CACHE/rocksdb.env" ]; then . "$LINCHPIN_CACHE/rocksdb.env"; fi
count=${1:-500}
batch=20
log=$LINCHPIN_CACHE/cuts.log
touch "$log"
cargo test --package linchpin-storage --test crash --no-run
while done=$(awk '{ sum += $1 } END { print sum + 0 }' "$log") && [ "$done" -lt "$count" ]; do
    # Half of them on ext4, half on xfs; another seed each time.
    LINCHPIN_CACHE_CUTS=$((batch / 2)) LINCHPIN_CUTS_SEED=$((done + 1)) \
        cargo test --package linchpin-storage --test crash loses_its_cache -- --nocapture >"$LINCHPIN_CACHE/cuts.out" 2>&1 ||
        { tail -40 "$LINCHPIN_CACHE/cuts.out"; echo "failed with seed $((done + 1))"; exit 1; }
    printf '%d %s\n' "$batch" "$(grep -E "power cuts" "$LINCHPIN_CACHE/cuts.out" | tr '\n' ' ')" >>"$log"
    tail -1 "$log"
done
echo "$done power cuts with a lost cache: 0 acknowledged writes lost, 0 refused starts ($log)"
