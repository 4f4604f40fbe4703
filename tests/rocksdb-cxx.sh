#!/usr/bin/env bash
# clang++ for tests/rocksdb.sh. Nearly all of RocksDB's 340 files read the same headers, which takes more than half of a
# compiler's time: they are read once, into $ROCKSDB_HEADERS, and taken from there by each file.
set -euo pipefail
flags=() source='' previous=''
for argument in "$@"; do
    case $argument in
        -c | -o) ;;
        rocksdb/*.cc) source=$argument ;;
        *) [ "$previous" = -o ] || flags+=("$argument") ;;
    esac
    previous=$argument
done
# Snappy, and the questions which compiler this is.
[ -n "$source" ] || exec clang++ "$@"

headers=$ROCKSDB_HEADERS/$(printf '%s\n' "$PWD" "${flags[@]}" | sha256sum | cut -c 1-16).pch
if [ ! -s "$headers" ]; then
    exec 8>"$headers.lock"
    flock 8
    if [ ! -s "$headers" ]; then
        clang++ "${flags[@]}" -w -x c++-header rocksdb/db/db_impl/db_impl.h -o "$headers.part"
        mv "$headers.part" "$headers"
    fi
    exec 8>&-
fi
exec clang++ -include-pch "$headers" "$@"
