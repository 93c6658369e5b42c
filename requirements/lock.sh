#!/bin/sh
# Pin every dependency with hashes, for all platforms: called by `make lock`. Arguments go to uv.
#
# Pins that still fit pyproject.toml are kept, unless --upgrade is given. No index URL is written:
# where packages come from is the installing user's affair.
set -eu

cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip install --quiet uv

compile() {
    name=$1
    shift
    "$tools/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header \
        --output-file "requirements/$name.txt" "$@"
}

compile vqueue "$@"
for extra in mongo cron otel reload testing worker api dev; do
    compile "$extra" --extra "$extra" "$@"
done
