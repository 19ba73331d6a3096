#!/bin/sh
# Makes .venv what uv.lock says; gets uv from PyPI into it when there is none. Run by make, from the root.
set -eu

fail() {
    echo "make: $*" >&2
    exit 2
}

command -v "$PYTHON" >/dev/null || fail "$PYTHON is not there: install Python 3.11 or newer, or name one: PYTHON=... make dev"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$PYTHON" --version 2>&1) is too old: install Python 3.11 or newer, or name one: PYTHON=python3.11 make dev"

if [ ! -x .venv/bin/python ]; then
    echo "Making .venv with $("$PYTHON" --version)"
    # Some distributions cut ensurepip out of their Python: then pip comes from outside, if at all.
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        "$PYTHON" -m venv --clear .venv
    else
        "$PYTHON" -m venv --clear --without-pip .venv ||
            fail "$PYTHON cannot make environments: install its venv package (Debian, Ubuntu: apt install python3-venv)"
    fi
fi

# Beside the environment, not in it: there it would stand in the way of the packages that the lock file names.
get_uv() {
    "$1" -m pip install --quiet --disable-pip-version-check --target .venv/bootstrap \
        --require-hashes --requirement deploy/uv.txt
}
uv=.venv/bootstrap/bin/uv
if [ ! -x "$uv" ]; then
    if [ -x .venv/bin/uv ]; then
        uv=.venv/bin/uv
    elif command -v uv >/dev/null; then
        uv=uv
    elif .venv/bin/python -m pip --version >/dev/null 2>&1; then
        get_uv .venv/bin/python
    elif "$PYTHON" -m pip --version >/dev/null 2>&1; then
        get_uv "$PYTHON"
    else
        fail "no uv and no pip to get it with: install one (Debian, Ubuntu: apt install python3-venv), then make again"
    fi
fi

# --inexact, or uv would remove pip, and a uv that somebody put there. The Python is named so that
# uv takes this one, whatever .python-version wishes, and downloads none. --frozen holds to the lock's
# hashes, too, and works behind a mirror of PyPI, where --locked asks for a new lock.
echo "Installing what uv.lock says"
UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV='' "$uv" sync --frozen --inexact --compile-bytecode --quiet --python .venv/bin/python
