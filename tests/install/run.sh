#!/usr/bin/env bash
# Installs a build, builds the example against what was installed, and runs both: run.sh BUILD_DIR EXAMPLE.cpp
set -euo pipefail
build=$1 example=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >/dev/null
"$work/prefix/bin/corolla" make-model --small bloom-560m "$work/model"
cmake -S "$here" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" -DEXAMPLE="$example" >/dev/null
cmake --build "$work/consumer"
lines=$("$work/consumer/consumer" "$work/model" "a cat sat" | tee /dev/stderr | grep -c '^a cat sat')
[ "$lines" -eq 2 ]
