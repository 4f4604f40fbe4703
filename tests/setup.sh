#!/usr/bin/env bash
# Puts in place what building, the demo and the tests need.
#
#   tests/setup.sh check    Rust and a C compiler: formatting, lints and the crates that need no RocksDB
#   tests/setup.sh build    the above, a C++ compiler, clang and libclang for RocksDB
#   tests/setup.sh demo     the above and the Python client
#   tests/setup.sh test     the above, Node.js with its clients, BearSSL, mbedTLS, OpenSSL, GnuTLS,
#                           sslscan, testssl.sh, strace, valgrind, xfsprogs, Chromium, Mosquitto, pebble, lintian, oathtool, patch, schemathesis, moto, aiosmtpd, promtool, cargo-deny
#
# System packages are installed when this may be done without a question (root, or sudo without a password). Otherwise,
# and for Rust itself, it prints the one line that installs everything that is missing and ends with status 2.
# Everything else goes to ${XDG_CACHE_HOME:-$HOME/.cache}/linchpin, once per machine.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
purpose=${1:-test}
case $purpose in check | build | demo | test) ;; *) echo "usage: tests/setup.sh [check|build|demo|test]" >&2; exit 2 ;; esac

# The Rust that the workspace declares, and the advice for Debian when there is none. Debian 12's own is too old.
rust_version=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
rust_line="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal && . \"\$HOME/.cargo/env\""
deny_version=0.20.2

has() { command -v "$1" >/dev/null 2>&1; }

# Does a C program find this header?
has_header() { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }

# What is missing, as Debian packages.
missing_packages() {
    has cc && has make || echo build-essential
    [ "$purpose" != check ] || return 0
    has c++ || echo g++
    has_libclang || echo libclang-dev
    # Halves the time of RocksDB's compilation, once per machine.
    has clang++ || compgen -G "$LINCHPIN_CACHE/rocksdb-$(rocksdb_version)/librocksdb.a" >/dev/null || echo clang
    [ "$purpose" != build ] || return 0
    has python3 || echo python3
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || echo python3-venv
    [ "$purpose" = test ] || return 0
    has node || echo nodejs
    has npm || echo npm
    has_header bearssl.h || echo libbearssl-dev
    has_header mbedtls/ssl.h || echo libmbedtls-dev
    has openssl || echo openssl
    has gnutls-cli || echo gnutls-bin
    has sslscan || echo sslscan
    has testssl || echo testssl.sh
    has strace || echo strace
    has valgrind || echo valgrind
    has xfs_io || echo xfsprogs
    has systemd-analyze || echo systemd
    has chromium || echo chromium
    has firefox-esr || echo firefox-esr
    # Pictures and widths of texts are the same on every machine.
    fc-list 2>/dev/null | grep NotoSans-Regular >/dev/null || echo fonts-noto-core
    # Debian starts it as a service on port 80; the tests start their own.
    has nginx || [ -x /usr/sbin/nginx ] || echo nginx-light
    # Debian starts it as a service on 127.0.0.1:1883; the tests start their own.
    has mosquitto || [ -x /usr/sbin/mosquitto ] || echo mosquitto
    has mosquitto_pub || echo mosquitto-clients
    # An authority for certificates; a newer one is unpacked beside it.
    has pebble || echo pebble
    # Codes of a second factor, by another program than ours.
    has oathtool || echo oathtool
    has patch || echo patch
    # The package is looked at and installed on a copy of this system.
    has dpkg-shlibdeps || echo dpkg-dev
    has lintian || echo lintian
    has ip || echo iproute2
    has curl || echo curl
}

# Is there a Rust that builds this? rustup fetches the declared version by itself.
has_rust() {
    has cargo || return 1
    has rustup && return 0
    [ "$(printf '%s\n' "$rust_version" "$(cargo --version | cut -d' ' -f2)" | sort -V | head -n1)" = "$rust_version" ]
}

install_packages() {
    local as_root=() packages=("$@")
    if [ "$(id -u)" -ne 0 ]; then
        has sudo && sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    has apt-get || return 1
    echo "Installing ${packages[*]} (apt-get)"
    # Lists may be too old or absent: refresh them once.
    "${as_root[@]}" apt-get -qq update || return 1
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
}

system_packages() {
    local packages line=()
    mapfile -t packages < <(missing_packages)
    if [ "${#packages[@]}" -gt 0 ] && install_packages "${packages[@]}"; then
        mapfile -t packages < <(missing_packages)
    fi
    has_rust || has curl || packages+=(curl ca-certificates)
    [ "${#packages[@]}" -eq 0 ] || line+=("sudo apt-get install -y ${packages[*]}")
    has_rust || line+=("$rust_line")
    [ "${#line[@]}" -gt 0 ] || return 0
    local joined=${line[0]}
    [ "${#line[@]}" -lt 2 ] || joined="$joined && ${line[1]}"
    has_rust || echo "Rust $rust_version or newer is missing." >&2
    [ "${#packages[@]}" -eq 0 ] || echo "Missing system packages: ${packages[*]}." >&2
    printf 'Install what is missing with this line, then run the same command again:\n\n    %s\n\n' "$joined" >&2
    exit 2
}

# The Python clients in a virtual environment, exactly as pinned.
python_clients() {
    local venv=$LINCHPIN_CLIENTS/venv pins=tests/compat/clients/requirements.txt stamp
    stamp=$(cat "$pins" <(python3 --version) | sha256sum | cut -d' ' -f1)
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] && "$venv/bin/python" -c 'import blynklib' && return 0
    echo "Installing the Python clients in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$pins"
    # Last, so that an installation that was interrupted is made again.
    echo "$stamp" >"$venv/stamp"
}

# The Node.js client, exactly as locked; no install scripts run.
node_client() {
    local folder=$LINCHPIN_CLIENTS lock=tests/compat/clients/package-lock.json
    cmp -s "$lock" "$folder/installed-lock.json" && [ -d "$folder/node_modules/blynk-library" ] && return 0
    echo "Installing the Node.js client in $folder/node_modules"
    cp tests/compat/clients/package.json "$lock" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$lock" "$folder/installed-lock.json"
}

# The Node.js MQTT client, exactly as locked; no install scripts run.
mqtt_client() {
    local folder=$LINCHPIN_CLIENTS/mqtt lock=tests/compat/clients/mqtt/package-lock.json
    mkdir -p "$folder"
    cmp -s "$lock" "$folder/installed-lock.json" && [ -d "$folder/node_modules/mqtt" ] && return 0
    echo "Installing the Node.js MQTT client in $folder/node_modules"
    cp tests/compat/clients/mqtt/package.json "$lock" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$lock" "$folder/installed-lock.json"
}

# The Python MQTT clients, exactly as pinned.
mqtt_python_clients() { python_tools mqtt/venv tests/compat/clients/mqtt/requirements.txt; }

# A folder of its own with these pinned Python packages.
python_tools() {
    local venv=$LINCHPIN_CLIENTS/$1 pins=$2 stamp
    stamp=$(cat "$pins" <(python3 --version) | sha256sum | cut -d' ' -f1)
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] && return 0
    echo "Installing $1 in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$pins"
    echo "$stamp" >"$venv/stamp"
}

# Checks answers of the HTTP API against its description.
schemathesis() { python_tools schemathesis tests/e2e/api/requirements.txt; }

# A store for backups that speaks S3.
moto() { python_tools moto tests/e2e/s3/requirements.txt; }

# A server to sign in at, exactly as locked; no install scripts run.
oidc_partner() {
    local folder=$LINCHPIN_CLIENTS/oidc lock=tests/e2e/oidc/package-lock.json
    mkdir -p "$folder"
    cmp -s "$lock" "$folder/installed-lock.json" && [ -d "$folder/node_modules/oidc-provider" ] && return 0
    echo "Installing oidc-provider in $folder/node_modules"
    cp tests/e2e/oidc/package.json "$lock" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$lock" "$folder/installed-lock.json"
}

# A mail server for the tests of mail.
mail_server() { python_tools mail tests/e2e/mail/requirements.txt; }

# Checks the form of the metrics: the tool of Debian's prometheus package alone, without the server.
promtool() {
    local tool=$LINCHPIN_CACHE/tools/promtool folder
    [ -x "$tool" ] && return 0
    echo "Unpacking promtool from Debian's prometheus package"
    mkdir -p "$LINCHPIN_CACHE/tools"
    folder=$(mktemp -d)
    chmod 755 "$folder"
    (cd "$folder" && apt-get -qq download prometheus 2>/dev/null && dpkg -x prometheus_*.deb .)
    cp "$folder/usr/bin/promtool" "$tool.part"
    mv "$tool.part" "$tool"
    rm -rf "$folder"
}

# An authority for certificates that knows profiles and renewal information: pebble of Debian sid, which needs glibc only,
# exactly as pinned. Without it the tests use Debian 12's, and count what that cannot show as left out.
modern_pebble() {
    local apt=() tools=$LINCHPIN_CACHE/tools folder mirror
    local pin=b9a3a3920143f1a6fc568dfa88247be22cafa96c845fe62938c08982a15df315
    [ -x "$tools/pebble" ] && [ -x "$tools/pebble-challtestsrv" ] && return 0
    # The machine's own mirror.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n1)
    folder=$(mktemp -d)
    chmod 755 "$folder"
    mkdir -p "$folder"/{lists/partial,cache/archives/partial,parts} "$tools"
    printf '%s\n' 'Types: deb' "URIs: $mirror" 'Suites: sid' 'Components: main' \
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$folder/parts/sid.sources"
    apt=(apt-get -qq -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o Dir::Etc::sourcelist=/dev/null
        -o "Dir::Etc::sourceparts=$folder/parts" -o Acquire::Languages=none)
    if (cd "$folder" && "${apt[@]}" update && "${apt[@]}" download pebble) >/dev/null 2>&1 &&
        echo "$pin  $(echo "$folder"/pebble_*.deb)" | sha256sum --check --quiet >/dev/null 2>&1; then
        dpkg -x "$folder"/pebble_*.deb "$folder/x"
        cp "$folder"/x/usr/bin/pebble{,-challtestsrv} "$tools/"
    else
        echo "No pebble of Debian sid with the pinned hash: tests of renewal information and profiles are left out" >&2
    fi
    rm -rf "$folder"
}

# Checks licences, banned crates and sources.
cargo_deny() {
    [ "$("$LINCHPIN_CACHE/tools/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $deny_version" ] && return 0
    echo "Building cargo-deny $deny_version, once per machine (about 3 minutes)"
    # It runs for seconds: optimising it would take longer than all its runs.
    CARGO_TARGET_DIR=$LINCHPIN_CACHE/tools/target CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_OPT_LEVEL=0 \
        cargo install --quiet --locked --debug cargo-deny --version "$deny_version" --root "$LINCHPIN_CACHE/tools"
    rm -rf "$LINCHPIN_CACHE/tools/target"
}

system_packages
[ "$purpose" = check ] || tests/console.sh build
case $purpose in check | build) exit 0 ;; esac
mkdir -p "$LINCHPIN_CLIENTS"
# Two set-ups at the same time take turns.
exec 9>"$LINCHPIN_CACHE/setup.lock"
flock 9
python_clients
if [ "$purpose" = test ]; then
    node_client
    mqtt_client
    mqtt_python_clients
    schemathesis
    moto
    mail_server
    oidc_partner
    promtool
    modern_pebble
    cargo_deny
fi
