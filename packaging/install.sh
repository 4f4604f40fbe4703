#!/usr/bin/env bash
# Installs the built binaries with man pages and shell completions; `remove` takes them away again. The service is set up as
# docs/operate.md says: this does not touch /etc, users or units.
#
#   packaging/install.sh [remove]        PREFIX=/usr/local, DESTDIR= (root), or PREFIX=~/.local without being root
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/environment.sh
. tests/environment.sh
if [ -z "${PREFIX:-}" ]; then
    if [ "$(id -u)" -eq 0 ]; then PREFIX=/usr/local; else PREFIX=$HOME/.local; fi
fi
root=${DESTDIR:-}$PREFIX
man=$root/share/man/man1
bash_folder=$root/share/bash-completion/completions
zsh_folder=$root/share/zsh/site-functions
fish_folder=$root/share/fish/vendor_completions.d

if [ "${1:-}" = remove ]; then
    rm -f "$root"/bin/{linchpin,loadgen} "$root"/bin/.debug/{linchpin,loadgen}.debug "$man"/linchpin*.1 "$bash_folder/linchpin" "$zsh_folder/_linchpin" "$fish_folder/linchpin.fish"
    rmdir --ignore-fail-on-non-empty "$root/bin/.debug" 2>/dev/null || true
    echo "Removed Linchpin from $root"
    exit 0
fi

built=$CARGO_TARGET_DIR/release
for name in linchpin loadgen; do
    [ -x "$built/$name" ] || { echo "$built/$name is missing: make build" >&2; exit 1; }
    # Whole or not at all, also while the old one runs.
    install -D -m 0755 "$built/$name" "$root/bin/.$name.new"
    mv "$root/bin/.$name.new" "$root/bin/$name"
    # Names and lines for backtraces.
    if [ -f "$built/.debug/$name.debug" ]; then
        install -D -m 0644 "$built/.debug/$name.debug" "$root/bin/.debug/$name.debug"
    fi
done
mkdir -p "$man" "$bash_folder" "$zsh_folder" "$fish_folder"
"$built/linchpin" man "$man" >/dev/null
"$built/linchpin" completions bash >"$bash_folder/linchpin"
"$built/linchpin" completions zsh >"$zsh_folder/_linchpin"
"$built/linchpin" completions fish >"$fish_folder/linchpin.fish"
echo "Installed linchpin and loadgen in $root/bin, man pages and completions in $root/share"
case ":$PATH:" in
*":$PREFIX/bin:"*) ;;
*) echo "$PREFIX/bin is not in PATH. For this shell: export PATH=\"$PREFIX/bin:\$PATH\"" ;;
esac
