#!/bin/sh
# Pin the environments of the benchmarks' Python peers, with hashes. Arguments go to uv.
#
# One environment per peer (bench-<peer>.in), so that no peer decides another one's versions.
# As in lock.sh, no index URL is written.
set -eu

cd "$(dirname "$0")"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip install --quiet uv

for wanted in bench-*.in; do
    "$tools/bin/uv" pip compile "$wanted" --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header \
        --output-file "${wanted%.in}.txt" "$@"
done
