#!/usr/bin/env bash
# A swarm as people first type it, in four shells: a server with a third of the blocks, two more that find it by its address,
# and a client that generates text.
#   examples/getting_started.sh MODEL
# COROLLA names the executable, COROLLA_PORT the first server's port (31337; 0: any free one).
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: examples/getting_started.sh MODEL" >&2; exit 2; }
model=$1
corolla=${COROLLA:-$(dirname "$0")/../build/corolla}

servers=()
end_servers() {
  [ ${#servers[@]} -eq 0 ] || kill -TERM "${servers[@]}" 2>/dev/null || true
  wait
}
trap end_servers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() {  # start BLOCKS PORT [PEER]: sets `address` once the server is ready
  local ready
  exec {out}< <(exec "$corolla" node --node.model="$model" --node.blocks="$1" --node.port="$2" ${3:+--node.peers="$3"} \
    --node.threads=1)
  servers+=($!)
  read -r -u "$out" ready || { echo "a server did not start" >&2; exit 1; }
  echo "$ready"
  address=$(cut -d' ' -f2 <<<"$ready")
}

# The first shell.
start 0:8 "${COROLLA_PORT:-31337}"
first=$address
# The second and the third.
start 8:16 0 "$first"
start 16:24 0 "$first"
# The fourth.
printf 'a cat sat'
"$corolla" generate --model "$model" --peers "$first" --prompt "a cat sat" --max-new-tokens 10
