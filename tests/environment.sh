# Where things are kept outside the source tree. For sourcing: `. tests/environment.sh`.
# Built files and tools live in the user's cache folder, so a fresh clone finds what an earlier one has built.
: "${XDG_CACHE_HOME:=$HOME/.cache}"
export LINCHPIN_CACHE=$XDG_CACHE_HOME/linchpin
export LINCHPIN_CLIENTS=${LINCHPIN_CLIENTS:-$LINCHPIN_CACHE/clients}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$LINCHPIN_CACHE/target}
# rustup's installer changes the path of new shells only.
if ! command -v cargo >/dev/null 2>&1 && [ -f "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
    . "${CARGO_HOME:-$HOME/.cargo}/env"
fi

# Is there the library that generates RocksDB's bindings? libclang-cpp, which a compiler brings, is another one.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    ldconfig -p 2>/dev/null | grep -E 'libclang(-[0-9.]+)?\.so' >/dev/null && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null
}

# Gives plain `cargo` the environment that make uses: the same target folder and, once it is compiled, RocksDB's library.
# The file is ignored by git; cargo takes a variable of the shell before one of the file.
write_cargo_config() {
    local file=.cargo/config.toml library
    library=$(compgen -G "$LINCHPIN_CACHE/rocksdb-$(rocksdb_version)/librocksdb.a" || true)
    mkdir -p .cargo
    {
        printf '# Written by make: what plain cargo needs to build as make does.\n[build]\ntarget-dir = "%s"\n' "$CARGO_TARGET_DIR"
        [ -z "$library" ] || printf '[env]\nROCKSDB_LIB_DIR = "%s"\nROCKSDB_STATIC = "1"\n' "${library%/*}"
    } >"$file.part"
    if cmp -s "$file.part" "$file"; then rm "$file.part"; else mv "$file.part" "$file"; fi
}

# The version of RocksDB's crate in the lock file.
rocksdb_version() { sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock; }
