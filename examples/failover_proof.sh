#!/usr/bin/env bash
# That a server may die under way and costs no token: three servers and a spare for the middle one generate N tokens; then the
# same again, and the middle one is killed (kill -9) when the client has shown K tokens.  Both texts must be the same.
#   examples/failover_proof.sh MODEL [N [K]]
# COROLLA names the executable, IDS what is continued ("1,2,3").
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 3 ] || { echo "usage: examples/failover_proof.sh MODEL [N [K]]" >&2; exit 2; }
model=$1 tokens=${2:-64} at=${3:-16} ids=${IDS:-1,2,3,4,5,6,7,8}
corolla=${COROLLA:-$(dirname "$0")/../build/corolla}
fail() { echo "failover_proof: $1" >&2; exit 1; }

declare -A server=()  # by its id
end_servers() {
  [ ${#server[@]} -eq 0 ] || kill -TERM "${server[@]}" 2>/dev/null || true
  wait
}
trap end_servers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() {  # start OPTION...: a server; sets `address` once it is ready
  local out ready
  exec {out}< <(exec "$corolla" node --node.model="$model" --node.threads=1 "$@")
  server[starting]=$!
  read -r -u "$out" ready || fail "a server did not start"
  echo "$ready"
  address=$(cut -d' ' -f2 <<<"$ready")
  server[$(cut -c11-62 <<<"$address")]=${server[starting]}
  unset 'server[starting]'
}

generate() {  # generate K: the lines of a generation, of which the middle server is killed at token K (0: never)
  local out line number=0 now before=0
  shown=() longest=0
  exec {out}< <(exec "$corolla" generate --model "$model" --peers "$first" --ids "$ids" --max-new-tokens "$tokens" \
    --ignore-eos --threads 1 --json-stream)
  client=$!
  while read -r -u "$out" line; do
    [[ $line =~ ^\{\"id\":([0-9]+),.*\"t_ms\":([0-9]+) ]] || { last=$line; continue; }
    shown+=("${BASH_REMATCH[1]}")
    now=${BASH_REMATCH[2]} number=$((number + 1))
    # The first object tells the route: only its middle server is one that matters.
    [ $number -ne 1 ] || [[ $line =~ \"peer\".*\"peer\":\"([a-z2-7]+)\".*\"peer\" ]] || fail "the route has not three servers"
    [ $number -ne 1 ] || middle=${BASH_REMATCH[1]}
    [ $number -lt 2 ] || [ $((now - before)) -le $longest ] || longest=$((now - before))
    before=$now
    [ $number -ne "$1" ] || { kill -KILL "${server[$middle]}" && unset "server[$middle]"; }
  done
  wait "$client" || fail "the generation failed"
  [ $number -eq "$tokens" ] || fail "$number tokens came, and $tokens were asked for"
}

[[ $("$corolla" inspect "$model") =~ (num_hidden_layers|n_layer)\ =\ ([0-9]+) ]] || fail "$model tells no number of blocks"
blocks=${BASH_REMATCH[2]}
one=$((blocks / 3)) two=$((blocks * 2 / 3))
start --node.blocks="0:$one"
first=$address
for part in "$one:$two" "$two:$blocks" "$one:$two"; do start --node.blocks="$part" --node.peers="$first"; done

generate 0
expected=("${shown[@]}")
echo "undisturbed: $tokens tokens, the longest pause between two was $longest ms"
generate "$at"
[[ $last =~ \"recoveries\":\[(\{.*\})\] ]] || fail "the generation was over before its server was lost: give more tokens"
echo "killed at token $at: $tokens tokens, the longest pause between two was $longest ms"
echo "replaced: ${BASH_REMATCH[1]}"
for ((i = 0; i < tokens; ++i)); do
  [ "${expected[i]}" = "${shown[i]}" ] || fail "token $((i + 1)) is ${shown[i]}, and was ${expected[i]} undisturbed"
done
echo "the same $tokens tokens"
