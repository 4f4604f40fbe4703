#!/usr/bin/env bash
# Puts in place the brokers that bench-peers starts, once per machine; `make test` does not need them.
#
#   benches/peers/setup.sh
#
# mosquitto and Node.js come from Debian and are installed by `tests/setup.sh test`. nats-server is unpacked from Debian's
# package without being installed: nothing starts it. aedes comes from npm as locked in aedes/package-lock.json, rumqttd
# from crates.io as locked in rumqttd.lock: the lock file of its release with a metrics crate (0.22.4) that today's Rust
# still compiles. All of that goes to ${XDG_CACHE_HOME:-$HOME/.cache}/linchpin/tools. What cannot be had is named at the
# end with the line that gets it; bench-peers leaves it out.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
tools=$LINCHPIN_CACHE/tools
rumqttd_version=0.20.0
missing=()

has() { command -v "$1" >/dev/null 2>&1; }

nats() {
    [ -x "$tools/nats-server" ] && return 0
    has apt-get && has dpkg || return 1
    echo "Unpacking nats-server from Debian's package"
    local folder
    folder=$(mktemp -d)
    chmod 755 "$folder"
    if (cd "$folder" && apt-get -qq download nats-server 2>/dev/null && dpkg -x nats-server_*.deb .); then
        cp "$folder/usr/sbin/nats-server" "$tools/nats-server.part"
        mv "$tools/nats-server.part" "$tools/nats-server"
    fi
    rm -rf "$folder"
    [ -x "$tools/nats-server" ]
}

# Exactly as locked; no install scripts run.
aedes() {
    local folder=$tools/aedes from=benches/peers/aedes
    has node && has npm || return 1
    mkdir -p "$folder"
    cp "$from/broker.mjs" "$folder/"
    cmp -s "$from/package-lock.json" "$folder/installed-lock.json" && return 0
    echo "Installing aedes in $folder"
    cp "$from/package.json" "$from/package-lock.json" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error || return 1
    # Last, so that an installation that was interrupted is made again.
    cp "$folder/package-lock.json" "$folder/installed-lock.json"
}

rumqttd() {
    [ "$("$tools/bin/rumqttd" --version 2>/dev/null)" = "rumqttd $rumqttd_version" ] && return 0
    has cargo || return 1
    echo "Building rumqttd $rumqttd_version, once per machine (about 3 minutes)"
    local work source done=1
    work=$(mktemp -d)
    # A package that needs it makes cargo fetch its source.
    mkdir "$work/fetch" "$work/fetch/src"
    : >"$work/fetch/src/lib.rs"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\nrumqttd = "=%s"\n' \
        "$rumqttd_version" >"$work/fetch/Cargo.toml"
    if cargo fetch --quiet --manifest-path "$work/fetch/Cargo.toml" &&
        source=$(cargo metadata --format-version 1 --manifest-path "$work/fetch/Cargo.toml" |
            python3 -c 'import json, os, sys
print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "rumqttd"))') &&
        cp -r "$source" "$work/source" &&
        cp benches/peers/rumqttd.lock "$work/source/Cargo.lock" &&
        RUSTFLAGS="--cap-lints allow" CARGO_TARGET_DIR=$work/target cargo install --quiet --locked --path "$work/source" --root "$tools"; then
        done=0
    fi
    rm -rf "$work"
    return "$done"
}

mkdir -p "$tools"
# Two set-ups at the same time take turns.
exec 9>"$LINCHPIN_CACHE/setup.lock"
flock 9
has mosquitto || [ -x /usr/sbin/mosquitto ] || missing+=("mosquitto: sudo apt-get install -y mosquitto")
nats || missing+=("nats-server: sudo apt-get install -y nats-server")
aedes || missing+=("aedes: sudo apt-get install -y nodejs npm, then this script again (it needs npm's registry)")
rumqttd || missing+=("rumqttd: this script again, where cargo reaches crates.io")
[ "${#missing[@]}" -eq 0 ] || printf 'Missing %s\n' "${missing[@]}" >&2
