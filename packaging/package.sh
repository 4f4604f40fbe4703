#!/usr/bin/env bash
# Makes a Debian package of the server: the same binary, commit and sources give the same bytes.
#
#   packaging/package.sh OUT [BINARY]     OUT is a folder; BINARY else is the release build (make build)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/environment.sh
. tests/environment.sh
out=${1:?the folder for the package}
binary=${2:-$CARGO_TARGET_DIR/release/linchpin}
[ -x "$binary" ] || { echo "$binary is missing: make build" >&2; exit 1; }

# Times in the package are those of the commit, so that they say nothing of this machine.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
version=$("$binary" version | cut -d' ' -f2)
: "${PACKAGE_VERSION:=$version}"
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
share=$root/usr/share
umask 022
put() { install -D -m "${3:-0644}" "$1" "$root/$2"; }
squeeze() { gzip -9n "$@"; }

put "$binary" usr/bin/linchpin 0755
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/linchpin"
put packaging/linchpin.service lib/systemd/system/linchpin.service
put packaging/linchpin.sysusers usr/lib/sysusers.d/linchpin.conf
put packaging/linchpin.tmpfiles usr/lib/tmpfiles.d/linchpin.conf
put packaging/linchpin.toml etc/linchpin/linchpin.toml
put packaging/linchpin.rules.yml usr/share/linchpin/prometheus/linchpin.rules.yml
put packaging/grafana-dashboard.json usr/share/linchpin/grafana/linchpin.json
"$binary" man "$share/man/man1" >/dev/null
find "$share/man" -name '*.1' -exec gzip -9n {} +
mkdir -p "$share"/bash-completion/completions "$share"/zsh/vendor-completions "$share"/fish/vendor_completions.d
"$binary" completions bash >"$share/bash-completion/completions/linchpin"
"$binary" completions zsh >"$share/zsh/vendor-completions/_linchpin"
"$binary" completions fish >"$share/fish/vendor_completions.d/linchpin.fish"
doc=$share/doc/linchpin
mkdir -p "$doc"
"$binary" version --sbom >"$doc/linchpin.cdx.json"
squeeze "$doc/linchpin.cdx.json"
put packaging/deb/copyright usr/share/doc/linchpin/copyright
put packaging/deb/lintian-overrides usr/share/lintian/overrides/linchpin
{
    printf 'linchpin (%s) stable; urgency=medium\n\n  * What changed is in CHANGELOG.md of the sources.\n\n' "$PACKAGE_VERSION"
    printf ' -- Linchpin maintainers <maintainers@linchpin.invalid>  %s\n' "$(date -R -d "@$SOURCE_DATE_EPOCH")"
} >"$doc/changelog"
squeeze "$doc/changelog"

control=$root/DEBIAN
mkdir -p "$control"
# The libraries that the binary itself names, as dpkg finds them.
mkdir -p "$work/debian"
printf 'Source: linchpin\n\nPackage: linchpin\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O "$root/usr/bin/linchpin" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
sed -e "s/@VERSION@/$PACKAGE_VERSION/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBRARIES@/$libraries/" \
    -e "s/@SIZE@/$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)/" packaging/deb/control >"$control/control"
echo /etc/linchpin/linchpin.toml >"$control/conffiles"
for script in postinst prerm postrm; do install -m 0755 "packaging/deb/$script" "$control/$script"; done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print0 | sort -z | xargs -0 md5sum | sed 's, \./, ,') >"$control/md5sums"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-xz}" "-z${DEB_LEVEL:-6}" --build "$root" "$out" >/dev/null
echo "$out/linchpin_${PACKAGE_VERSION}_$architecture.deb"
