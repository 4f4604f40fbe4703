#!/bin/bash
# Installs, starts, upgrades, removes and purges the package on a copy of this system, of which nothing is changed: an overlay
# in a mount, network and process namespace of its own, which ends with this.
#
#   chroot.sh OLDER.deb NEWER.deb WORK
set -euo pipefail
if [ "${4:-}" != inside ]; then
    exec unshare --mount --net --pid --fork --kill-child --mount-proc bash "$0" "$@" inside
fi
older=$1 newer=$2 work=$3
step() { echo "== $*"; }
fail() { echo "FAILED: $*"; exit 1; }
mount -t tmpfs none "$work"
mkdir "$work"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/tmp"
ip link set lo up
cp "$older" "$root/tmp/older.deb"
cp "$newer" "$root/tmp/newer.deb"
# What the scripts of the package ask of systemd is noted, and carried out as far as it can be.
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/local/bin/systemctl" <<'STUB'
#!/bin/sh
echo "systemctl $*" >>/tmp/systemctl
case "$*" in
*enable*--now*)
    # As the unit starts it: its user, no rights, nothing that is gained later.
    cd / && setsid setpriv --reuid linchpin --regid linchpin --clear-groups --no-new-privs --inh-caps -all \
        --bounding-set -all /usr/bin/linchpin serve --config /etc/linchpin/linchpin.toml >/tmp/log 2>&1 </dev/null &
    ;;
*disable*--now*) pkill -u linchpin linchpin; while pgrep -u linchpin linchpin >/dev/null; do sleep 0.05; done ;;
esac
exit 0
STUB
chmod 755 "$root/usr/local/bin/systemctl"
rm -rf "$root/var/lib/linchpin" "$root/etc/linchpin"
in_it() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
answers() {
    for _ in $(seq 600); do
        if in_it linchpin status --data /var/lib/linchpin --json >"$root/tmp/status" 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    cat "$root/tmp/log"
    fail "the server does not answer"
}

step install
in_it dpkg -i /tmp/older.deb
in_it id linchpin
[ "$(in_it stat -c %a:%G /etc/linchpin/linchpin.toml)" = 640:linchpin ] || fail "mode of the configuration"
[ "$(in_it stat -c %a:%U /var/lib/linchpin)" = 700:linchpin ] || fail "mode of the data"
grep -q "enable --quiet --now linchpin.service" "$root/tmp/systemctl" || fail "it is not enabled"
answers
in_it man --version >/dev/null 2>&1 && in_it man -w linchpin
in_it linchpin version --sbom | grep -q CycloneDX || fail "no bill of materials"
first=$(in_it pgrep -u linchpin -x linchpin)

step upgrade
echo "# mine" >>"$root/etc/linchpin/linchpin.toml"
in_it dpkg --force-confold -i /tmp/newer.deb
grep -q "# mine" "$root/etc/linchpin/linchpin.toml" || fail "the configuration was replaced"
grep -q "systemctl restart" "$root/tmp/systemctl" && { cat "$root/tmp/log"; fail "the connections were ended"; }
grep -q "systemctl is-active" "$root/tmp/systemctl" || fail "nobody looked whether it runs"
answers
second=$(in_it pgrep -u linchpin -x linchpin)
[ "$first" != "$second" ] || fail "the older process serves on"
in_it linchpin upgrade --status --json --data /var/lib/linchpin | grep -q '"state":"done"' || fail "it was no upgrade"

step remove
in_it dpkg -r linchpin
[ ! -e "$root/usr/bin/linchpin" ] || fail "the binary stays"
in_it pgrep -u linchpin -x linchpin && fail "it runs on"
[ -e "$root/etc/linchpin/linchpin.toml" ] && [ -d "$root/var/lib/linchpin/store" ] || fail "a removal takes too much"

step purge
in_it dpkg -P linchpin
[ ! -e "$root/etc/linchpin" ] || fail "the configuration stays"
[ -d "$root/var/lib/linchpin/store" ] || fail "a purge took the data"

step again
in_it dpkg -i /tmp/newer.deb
answers
touch "$root/var/lib/linchpin/PURGE"
in_it dpkg -P linchpin
[ ! -e "$root/var/lib/linchpin" ] || fail "the data stays though its owner wants it gone"
step done
