#!/usr/bin/env bash
# Walk the page of the service by the letter, on a fresh Debian 12 with its own systemd: docs/operate.md, "Install", by hand.
# Then what goes wrong in practice: verbs as another user and as root, and a start after that. Root only; a container of
# systemd-nspawn that forgets everything at its end; bounded to 5 minutes.
#
#   tests/service-page.sh target/release/linchpin
set -euo pipefail
binary=$(realpath "${1:?usage: tests/service-page.sh BINARY}")
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
[ "$(id -u)" = 0 ] || { echo "a container needs root" >&2; exit 2; }
for tool in debootstrap systemd-nspawn; do
    command -v $tool >/dev/null || { echo "missing: apt-get install debootstrap systemd-container" >&2; exit 2; }
done

debian=$LINCHPIN_CACHE/bookworm
if [ ! -e "$debian.made" ]; then
    rm -rf "$debian"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,sudo,python3,iproute2,procps \
        bookworm "$debian" http://deb.debian.org/debian >"$debian.log"
    touch "$debian.made"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r packaging "$work/packaging"
cp "$binary" "$work/linchpin"
strip --strip-unneeded "$work/linchpin"
# The very block of the page.
awk '/^## Install/ {inside = 1} inside && /^    / {print substr($0, 5); found = 1} found && !/^    / {exit}' \
    docs/operate.md >"$work/page.sh"
grep -q 'systemctl enable --now linchpin' "$work/page.sh" || { echo "the page has another form" >&2; exit 1; }
cat >"$work/walk.sh" <<'WALK'
#!/bin/bash
cd /walk
say() { printf '\n## %s\n' "$*"; }
must() { if "$@"; then :; else echo "FAILED ($?): $*"; failed=1; fi; }
shown() { "$@" >said 2>&1 || { echo "FAILED ($?): $*"; failed=1; }; head -5 said; }
may_not() { if "$@"; then echo "FAILED: this should have been refused: $*"; failed=1; fi; }
owned() { [ -z "$(find /var/lib/linchpin ! -user linchpin)" ] || { echo "FAILED: not the service's:"; find /var/lib/linchpin ! -user linchpin; failed=1; }; }
failed=0
say the block of the page
while IFS= read -r line; do
    echo "\$ $line"
    must bash -c "$line"
done <page.sh
must systemctl is-active linchpin
say what it may
pid=$(systemctl show -p MainPID --value linchpin)
grep -E '^(Uid|CapBnd|Seccomp|NoNewPrivs):' /proc/$pid/status
must grep -q 'io_uring' <(journalctl -u linchpin -o cat; ls -l /proc/$pid/fd)
say a user without rights
useradd -m maria
may_not su maria -c 'linchpin keys rotate'
may_not su maria -c 'linchpin store stats'
owned
say verbs of root while it runs
for verb in 'status' 'device list' 'keys status' 'store stats' 'doctor' 'keys rotate' 'check --config /etc/linchpin/linchpin.toml'; do
    echo "\$ linchpin $verb"
    shown linchpin $verb
done
owned
say reload, and stop
must systemctl reload linchpin
must systemctl is-active linchpin
must systemctl stop linchpin
say verbs of root without a server
for verb in 'keys status' 'store stats' 'store verify' 'org list' 'doctor'; do
    echo "\$ linchpin $verb"
    shown linchpin $verb
done
may_not linchpin keys rotate
must sudo -u linchpin linchpin keys rotate
owned
say start again
must systemctl start linchpin
must linchpin status
must systemctl is-active linchpin
say a mistake in the file
echo 'nonsense = 1' >>/etc/linchpin/linchpin.toml
may_not systemctl reload linchpin
must systemctl is-active linchpin
may_not systemctl restart linchpin
systemctl show -p ExecMainStatus -p NRestarts linchpin
must [ "$(systemctl show -p ExecMainStatus --value linchpin)" = 78 ]
sed -i '$d' /etc/linchpin/linchpin.toml
must systemctl start linchpin
owned
journalctl -u linchpin -o cat | tail -5
[ $failed = 0 ] && echo 'THE PAGE HOLDS'
WALK
cat >"$work/walk.service" <<'UNIT'
[Unit]
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/bash /walk/walk.sh
StandardOutput=file:/walk/out
StandardError=inherit
ExecStopPost=/bin/systemctl poweroff
UNIT
# The filter of nspawn has no io_uring; that of the unit is what counts.
SYSTEMD_SECCOMP=0 timeout 300 systemd-nspawn -D "$debian" --volatile=overlay --private-network --keep-unit --register=no -b \
    --bind="$work:/walk" --bind-ro="$work/walk.service:/etc/systemd/system/walk.service" \
    systemd.unit=multi-user.target systemd.wants=walk.service >"$work/console" 2>&1 || tail -20 "$work/console"
cat "$work/out" || true
grep -q '^THE PAGE HOLDS$' "$work/out"
