#!/usr/bin/env bash
# Builds and runs the tests, in steps that stop at the first failure.
#   scripts/test.sh              all of them
#   scripts/test.sh STEP...      some of: style asan tsan fuzz dev (each of the middle three in a build of its own)
# Without COROLLA_JOBS, as many compilers run at once as there are processors and 1.5 GB of free memory for each.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh --test
model=$(scripts/fetch_model.sh)
export COROLLA_SMOLLM2_GGUF="$model"
jobs=${COROLLA_JOBS:-$(scripts/jobs.sh)}
# Another checkout of the same tree compiles nothing twice.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true

build() {  # build PRESET TARGET...
  cmake --preset "$1" >/dev/null
  nice ninja -C "$(build_dir "$1")" -j "$jobs" "${@:2}"
}
build_dir() { if [ "$1" = dev ]; then echo build; else echo "build-$1"; fi; }
run() {  # run PRESET CTEST-OPTION...
  ctest --test-dir "$(build_dir "$1")" --output-on-failure "${@:2}"
}

style() { scripts/style.sh; }
# The sanitizers' builds hold the tests with their label alone: libtorch makes the others slow and says little of our code.
asan() { build asan asan_tests && run asan -L asan; }
tsan() { build tsan tsan_tests && run tsan -L tsan; }
fuzz() { build fuzz fuzz_tests && run fuzz -L fuzz -j "$jobs"; }
dev() { build dev all && run dev; }

# The whole suite comes last: its closing line is what a reader looks for.
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(style asan tsan fuzz dev)
for step in "${steps[@]}"; do
  begun=$SECONDS
  printf '== %s\n' "$step"
  "$step"
  printf '== %s: %d s\n' "$step" $((SECONDS - begun))
done
