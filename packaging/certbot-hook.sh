#!/bin/sh
# certbot's deploy hook for Linchpin. Install it as /etc/letsencrypt/renewal-hooks/deploy/linchpin (0755).
# certbot's own files are for root only; the service runs as another user, so it gets copies that its group may read:
#   chain = "/etc/linchpin/tls/fullchain.pem" and key = "/etc/linchpin/tls/privkey.pem" in [[certificate]].
set -eu
target=${LINCHPIN_TLS:-/etc/linchpin/tls}
group=${LINCHPIN_GROUP:-linchpin}
install -d -m 0750 -g "$group" "$target"
# Both are there before either takes its place: the server never finds half a pair for long.
for name in fullchain privkey; do
    install -m 0640 -g "$group" "$RENEWED_LINEAGE/$name.pem" "$target/.$name.new"
done
for name in fullchain privkey; do
    mv "$target/.$name.new" "$target/$name.pem"
done
# Checks the files first; a mistake leaves the old certificate in place.
systemctl reload linchpin
