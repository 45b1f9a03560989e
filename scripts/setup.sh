#!/usr/bin/env bash
# Installs what corolla is built from: Debian packages (with sudo where not root), and libtorch into .deps/.
#   scripts/setup.sh          what building and running need
#   scripts/setup.sh --test   also what only the tests need
# A second run finds everything in place and takes a second.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build mold ccache pkg-config git unzip python3 python3-pip ca-certificates
  libcaf-dev libcereal-dev libssl-dev libspdlog-dev libfmt-dev libboost-dev nlohmann-json3-dev
  libpcre2-dev libicu-dev libcli11-dev)
[ "${1:-}" != --test ] || packages+=(libboost-test-dev librapidcheck-dev clang-14 libclang-rt-14-dev clang-format-14 openssl)

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: not root and no sudo; as root, run: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# Debian 12 refuses a plain `pip install`; a wheel is a zip file, and libtorch needs no Python.
wheel() {  # wheel NAME==VERSION: downloads it into .deps/wheels
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux_2_25_x86_64 --platform any --dest .deps/wheels "$1"
}
stamp=.deps/torch/.version-2.11.0
if [ ! -e "$stamp" ]; then
  [ "$(uname -m)" = x86_64 ] || { echo "setup: libtorch is fetched for x86_64 only, this is $(uname -m)" >&2; exit 1; }
  rm -rf .deps/torch && mkdir -p .deps/wheels .deps/torch
  for w in torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85; do wheel "$w"; done
  unzip -qo .deps/wheels/torch-2.11.0-*.whl 'torch/include/*' 'torch/lib/*' 'torch/share/*' -d .deps
  unzip -qoj .deps/wheels/nvidia_cuda_runtime-*.whl '*/lib/libcudart.so.*' -d .deps/torch/lib
  unzip -qoj .deps/wheels/nvidia_cuda_cupti-*.whl '*/lib/libcupti.so.*' -d .deps/torch/lib
  rm -rf .deps/wheels
  touch "$stamp"
fi
