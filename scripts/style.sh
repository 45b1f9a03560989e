#!/usr/bin/env bash
# Checks how the code is laid out: includes point one way, files stay small, clang-format agrees.
#   scripts/style.sh         says what is wrong
#   scripts/style.sh --fix   lets clang-format put its part right first
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp')
[ "${1:-}" != --fix ] || clang-format-14 -i "${files[@]}"
status=0
tests/layers_test || status=1
clang-format-14 --dry-run --Werror "${files[@]}" || status=1
exit $status
