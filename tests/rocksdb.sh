#!/usr/bin/env bash
# RocksDB's static library, compiled once per machine whatever the profile (9 minutes on two cores, 14 without clang).
#
# Keeps it in ${XDG_CACHE_HOME:-$HOME/.cache}/linchpin/rocksdb-VERSION and prints the lines that make cargo use it:
#   eval "$(tests/rocksdb.sh)"
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh

version=$(rocksdb_version)
[ -n "$version" ] || { echo "Cargo.lock does not name librocksdb-sys" >&2; exit 1; }
folder=$LINCHPIN_CACHE/rocksdb-$version
library=$folder/librocksdb.a

if ! has_libclang; then
    printf 'libclang is missing (RocksDB needs it). Install it with this line, then run the same command again:\n\n    sudo apt-get install -y libclang-dev\n\n' >&2
    exit 2
fi

mkdir -p "$folder"
# Two runs at once wait for each other instead of compiling twice.
exec 9>"$folder/lock"
flock 9
if [ ! -s "$library" ]; then
    echo "Compiling RocksDB $version, once per machine (9 to 14 minutes on two cores)" >&2
    # A profile of its own kind: optimised whatever the caller builds, without debug information (it made the library
    # 1.5 GB and doubled the time), and kept apart from the caller's target folder.
    compile() {
        env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC "$@" CARGO_TARGET_DIR="$folder/target" \
            CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_OPT_LEVEL=2 CARGO_PROFILE_RELEASE_LTO=off \
            cargo build --release --locked --package linchpin-storage >&2
    }
    # clang reads the headers that all files share once; the system's compiler, which needs no more packages, does not.
    mkdir -p "$folder/headers"
    # It may still name the library of another version; it is written anew below.
    rm -f .cargo/config.toml
    { command -v clang++ >/dev/null && compile CXX="$PWD/tests/rocksdb-cxx.sh" ROCKSDB_HEADERS="$folder/headers"; } ||
        compile
    built=$(find "$folder/target/release/build" -name librocksdb.a -path '*librocksdb-sys-*/out/*' | head -n 1)
    [ -n "$built" ] || { echo "the build left no librocksdb.a in $folder/target" >&2; exit 1; }
    # Whole or not at all: an interrupted copy is not taken for the library.
    cp "$built" "$library.part"
    mv "$library.part" "$library"
    rm -rf "$folder/target" "$folder/headers"
fi
write_cargo_config
printf 'export ROCKSDB_LIB_DIR=%q ROCKSDB_STATIC=1\n' "$folder"
