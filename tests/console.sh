#!/usr/bin/env bash
# The console, from its sources to a bundle that `engine/console/build.rs` embeds, and its tests.
#
#   tests/console.sh build   the bundle in the user's cache folder; without Node.js it says so and succeeds
#   tests/console.sh test    types, rules of its sources, unit tests, sizes, every screen in Chromium
#   tests/console.sh real    journeys against a real server and board (LINCHPIN_BIN, CONSOLE_BROWSER=chromium|firefox)
#   tests/console.sh invited LINK   somebody accepts an invitation that came by mail
#   tests/console.sh pictures   the pictures of README.md and the guides again (LINCHPIN_BIN)
#   tests/console.sh bench [--minutes N]   frames, filter and heap with 10,000 devices and 50,000 values a second
#   tests/console.sh lighthouse   Lighthouse over the real server (LINCHPIN_BIN); fetches it from npm
#   tests/console.sh reproduce   the same bytes from two folders, in another time zone and locale
#   tests/console.sh watch   the bundle again at every change, for `linchpin dev --console DIR`
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/environment.sh
. tests/environment.sh
export LINCHPIN_CONSOLE_DIST=${LINCHPIN_CONSOLE_DIST:-$LINCHPIN_CACHE/console/dist}
room=engine/console

# Packages exactly as locked; no install scripts run. Again only when the lock file changed.
packages() {
    cmp -s "$room/package-lock.json" "$room/node_modules/.installed-lock.json" && return 0
    npm ci --prefix "$room" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$room/package-lock.json" "$room/node_modules/.installed-lock.json"
}

build() {
    if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
        echo "Node.js is not installed: the server is built without its console"
        return 0
    fi
    packages
    local sources
    sources=$(node "$room/build.mjs" --sources)
    [ "$(head -n1 "$LINCHPIN_CONSOLE_DIST/files.txt" 2>/dev/null)" = "build	$sources" ] && return 0
    echo "Building the console"
    mkdir -p "$(dirname "$LINCHPIN_CONSOLE_DIST")"
    node "$room/build.mjs"
}

run_tests() {
    local scratch
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch'" EXIT
    build
    (cd "$room" && npx --no-install tsc --noEmit)
    node "$room/tests/contract.mjs" "$scratch"
    node "$room/tests/bundle.mjs" "$scratch"
    node --test "$scratch/unit"
    export CONSOLE_TESTS=$scratch
    node "$room/tests/sizes.mjs"
    node "$room/tests/journeys/run.mjs"
}

# Journeys against the binary that LINCHPIN_BIN names, in the browser that CONSOLE_BROWSER names.
run_real() {
    packages
    export CONSOLE_WAIT_MS=${CONSOLE_WAIT_MS:-45000}
    node "$room/tests/real/run.mjs" "$@"
}

accept_invitation() {
    packages
    CONSOLE_WAIT_MS=${CONSOLE_WAIT_MS:-45000} node "$room/tests/real/invited.mjs" "$@"
}

# Lists and frames under load: an hour's worth by hand, not a part of the tests.
run_bench() {
    local scratch
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch'" EXIT
    build
    node "$room/tests/bundle.mjs" "$scratch"
    CONSOLE_TESTS=$scratch node "$room/tests/journeys/bench.mjs" "$@"
}

# Not a package of the console: it is as large as a hundred of them, and asked for by hand.
run_lighthouse() {
    packages
    local folder=$LINCHPIN_CACHE/lighthouse
    [ -d "$folder/node_modules/lighthouse" ] || npm install --prefix "$folder" --no-audit --no-fund --loglevel=error lighthouse@12.8.2
    CONSOLE_WAIT_MS=${CONSOLE_WAIT_MS:-45000} LIGHTHOUSE=$folder/node_modules/lighthouse node "$room/tests/real/lighthouse.mjs"
}

# `meta.json` is for the size gates and names the folder: it is not embedded.
reproduce() {
    packages
    local scratch
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch'" EXIT
    mkdir -p "$scratch/elsewhere"
    cp -r "$room" "$scratch/elsewhere/console"
    LINCHPIN_CONSOLE_DIST=$scratch/here node "$room/build.mjs"
    TZ=Asia/Kolkata LC_ALL=C LINCHPIN_CONSOLE_DIST=$scratch/there node "$scratch/elsewhere/console/build.mjs"
    diff -rq -x meta.json "$scratch/here" "$scratch/there" && echo "the same $(wc -l <"$scratch/here/files.txt") lines of files.txt and all bytes"
}

# The pictures of README.md and the guides, from the real server and a fixed seed.
take_pictures() {
    packages
    export CONSOLE_WAIT_MS=${CONSOLE_WAIT_MS:-45000}
    node "$room/tests/real/pictures.mjs" docs/pictures
}

case ${1:-build} in
build) build ;;
test) run_tests ;;
real) shift; run_real "$@" ;;
invited) shift; accept_invitation "$@" ;;
pictures) take_pictures ;;
lighthouse) run_lighthouse ;;
reproduce) reproduce ;;
bench) shift; run_bench "$@" ;;
watch) packages && node "$room/build.mjs" --watch ;;
*) echo "usage: tests/console.sh [build|test|real|invited|pictures|bench|lighthouse|reproduce|watch]" >&2; exit 2 ;;
esac
