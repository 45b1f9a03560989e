#!/usr/bin/env bash
# Checks how the code is laid out: includes point one way, files and functions stay small, clang-format agrees.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/layers_test
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp')
clang-format-14 --dry-run --Werror "${files[@]}"
