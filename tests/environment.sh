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
    ldconfig -p 2>/dev/null | grep -qE 'libclang(-[0-9.]+)?\.so' && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null
}
