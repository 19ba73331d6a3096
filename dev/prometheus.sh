#!/bin/sh
# Prints the folder in which `prometheus` and `promtool` are; where the machine has none, unpacks Debian's package, without root.
set -eu
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    dirname "$(command -v prometheus)"
    exit
fi
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hookledger/prometheus"
if [ ! -x "$folder/usr/bin/promtool" ]; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
        echo "no prometheus and no apt-get to get it with: install prometheus and promtool" >&2
        exit 1
    }
    fresh="$folder.$$"
    mkdir -p "$fresh"
    (
        cd "$fresh"
        apt-get -qq download prometheus >&2 || { apt-get -qq update >&2 && apt-get -qq download prometheus >&2; }
        dpkg -x prometheus_*.deb .
        rm prometheus_*.deb
    )
    rm -rf "$folder"
    mv "$fresh" "$folder"
fi
echo "$folder/usr/bin"
