#!/usr/bin/env bash
# Does a comparison find a delay of 20 %, and nothing in equal servers? About 40 minutes, on a machine without neighbours.
#
#   tests/loadgen/series.sh [FOLDER [PAIRS [ROUNDS]]]
#
# Everything is kept in FOLDER: after an interruption the same command goes on. Prints the summary, which is FOLDER/summary.md
# too, and ends with 0 if at most 2 of 20 comparisons of equal servers found anything and at least 18 of 20 found the delay.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
cargo build --release --locked --quiet --package linchpin --package loadgen
cargo build --release --locked --quiet --package linchpin-loadgen-tests --bins
built=${CARGO_TARGET_DIR:-target}/release
exec "$built/series" "${1:-$LINCHPIN_CACHE/series}" "$built/linchpin" "$built/loadgen" "${@:2}"
