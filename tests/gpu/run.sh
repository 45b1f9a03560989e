#!/usr/bin/env bash
# Builds corolla and runs its golden tests, and a server that generates, on a machine with an NVIDIA GPU.
#   tests/gpu/run.sh fetch   on Debian 12 with network: collects in .gpu/ what the other machine may lack
#   tests/gpu/run.sh         on the machine with the GPU: needs .gpu/, no network, and torch 2.11 with CUDA 13 in its python3
# COROLLA_CUDA_TESTS names the device (cuda:0; cpu tries the script itself), COROLLA_TORCH_DIR another torch,
# COROLLA_SMOLLM2_GGUF the real model; without it that model is not tested, and a random one of 1.1B generates.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(libcaf-dev libcaf-core0.17 libcaf-io0.17 libboost-test-dev libboost-test1.74-dev libboost-test1.74.0 libboost1.74-dev
  libcereal-dev libspdlog-dev libspdlog1.10 libfmt-dev libfmt9 nlohmann-json3-dev libpcre2-dev libpcre2-8-0
  libicu-dev libicu72 libcli11-dev librapidcheck-dev libssl-dev libssl3 pkgconf pkgconf-bin libpkgconf3)

if [ "${1:-}" = fetch ]; then
  mkdir -p .gpu
  (cd .gpu && apt-get download -qq "${packages[@]}")
  du -sh .gpu
  exit
fi
[ $# -eq 0 ] || { echo "usage: tests/gpu/run.sh [fetch]" >&2; exit 2; }
compgen -G '.gpu/*.deb' >/dev/null || { echo "gpu: .gpu/ is empty: run tests/gpu/run.sh fetch where there is a network" >&2; exit 1; }

device=${COROLLA_CUDA_TESTS:-cuda:0}
root=$PWD/build-cuda/root
rm -rf "$root" && mkdir -p "$root"
for deb in .gpu/*.deb; do dpkg-deb -x "$deb" "$root"; done
torch=${COROLLA_TORCH_DIR:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')}
arch=$(gcc -dumpmachine)
libraries=$root/usr/lib/$arch
export PATH=$root/usr/bin:$PATH PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$root/usr/share/pkgconfig
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

cmake --preset cuda -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -DCOROLLA_TORCH_DIR="$torch" \
  -DCOROLLA_CUDA_TESTS="$device" -DCOROLLA_WERROR=OFF
cmake --build build-cuda --parallel "$(nproc)" --target cuda_tests corolla
model=${COROLLA_SMOLLM2_GGUF:-}
without=()
[ -n "$model" ] || without=(-E smollm2)
ctest --test-dir build-cuda -L cuda --output-on-failure "${without[@]}"
if [ -z "$model" ]; then
  model=build-cuda/tinyllama
  COROLLA=build-cuda/corolla scripts/make_bench_models tinyllama-1.1b "$model"
fi
for type in float32 bfloat16; do
  echo "== a server on $device in $type"
  exec {out}< <(exec build-cuda/corolla node --node.model="$model" --node.device="$device" --node.dtype="$type")
  server=$!
  trap 'kill $server' EXIT
  read -r -u "$out" _ address _ || { echo "gpu: the server did not start" >&2; exit 1; }
  build-cuda/corolla generate --model "$model" --dtype "$type" --peers "$address" --prompt "The capital of France is" \
    --max-new-tokens 64 --ignore-eos --json
  kill "$server"
  trap - EXIT
done
