#!/usr/bin/env bash
# The first check of a change, two minutes when warm: formatting, the tree's rules, lints and tests of every crate that
# needs no RocksDB. `make test` checks all the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh check
# shellcheck source=tests/environment.sh
. tests/environment.sh
write_cargo_config
crates=(linchpin-protocol linchpin-driver linchpin-tls linchpin-shard loadgen linchpin-tests linchpin-sim linchpin-fuzz-props)
packages=()
for name in "${crates[@]}"; do packages+=(--package "$name"); done
cargo fmt --all --check
cargo clippy "${packages[@]}" --all-targets --quiet -- -D warnings
# The simulator's seeds run in `make test`: here its behaviours do, which fail first and say more.
cargo test --quiet "${packages[@]}" --lib --bins
cargo test --quiet --package linchpin-tests
cargo test --quiet --package linchpin-sim --test behaviour
