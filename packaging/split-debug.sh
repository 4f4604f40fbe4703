#!/usr/bin/env bash
# Moves the line tables and names of a built binary into .debug beside it, where a backtrace and gdb find them. Again after each
# build: cargo puts its own file back.
#
#   packaging/split-debug.sh FOLDER NAME [NAME ...]
set -euo pipefail
folder=$1
shift
mkdir -p "$folder/.debug"
for name in "$@"; do
    binary=$folder/$name
    readelf --section-headers --wide "$binary" | grep -q '\.gnu_debuglink' && continue
    objcopy --only-keep-debug --compress-debug-sections=zlib "$binary" "$folder/.debug/$name.debug"
    # A new file: cargo's own has the same inode.
    (cd "$folder/.debug" && objcopy --strip-all --add-gnu-debuglink="$name.debug" "../$name" "../.$name.new")
    mv "$folder/.$name.new" "$binary"
done
