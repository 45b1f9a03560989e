#!/usr/bin/env bash
# From a bare Debian 12 to a swarm of three servers that generates text.
#   scripts/quickstart.sh          builds `corolla`, fetches a model, starts the servers, generates, leaves them up
#   scripts/quickstart.sh --once   the same, and stops them again
#   scripts/quickstart.sh stop     stops them
# A second run takes seconds: what is there is used, servers that are up are asked again.
set -euo pipefail
cd "$(dirname "$0")/.."

state=.quickstart
blocks=(0:10 10:20 20:30)
prompt="The three primary colours are"
first_port=${COROLLA_QUICKSTART_PORT:-31337}
# Longer than a server takes to read the model from a slow disk.
ready_seconds=${COROLLA_QUICKSTART_SECONDS:-300}

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

stage_begun=$SECONDS
stage() {  # stage NAME: closes the stage before and opens the next
  stage_end
  stage_name=$1
  stage_begun=$SECONDS
  say "== $1"
}
stage_end() {
  [ -z "${stage_name:-}" ] || say "   $stage_name: $((SECONDS - stage_begun)) s"
  stage_name=
}

is_up() {  # is_up I: server I of an earlier run is alive, and is the one that this script started
  local pid
  pid=$(cat "$state/server$1.pid" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$state/server$1.ini"
}

stop_server() {
  local pid
  if is_up "$1"; then
    pid=$(cat "$state/server$1.pid")
    kill -TERM "$pid" 2>/dev/null || true
    # A server ends within 5 s; tail ends with it.
    timeout 10 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$state/server$1.pid" "$state/server$1.ready"
}
stop_all() {
  local i
  for i in 3 2 1; do stop_server $i; done
}

case ${1:-} in
  stop) stop_all; say "the servers are stopped"; exit 0 ;;
  '' | --once) ;;
  *) say "usage: scripts/quickstart.sh [--once | stop]" >&2; exit 2 ;;
esac

interrupted() {
  trap - INT TERM
  stop_all
  say
  die "interrupted; the servers are stopped, what was built and fetched is kept: run it again to go on"
}
trap interrupted INT TERM

mkdir -p "$state"
begun=$SECONDS
# However it ends.
[ "${1:-}" != --once ] || trap stop_all EXIT

stage "what corolla is built from"
scripts/setup.sh || die "the set-up failed (see above): check the network and run it again, what is there is kept"

stage "building corolla"
# A tree that scripts/test.sh has configured stays as it is.
[ -e build/build.ninja ] || cmake --preset release >"$state/configure.log" ||
  die "configuring failed, see $state/configure.log"
ninja -C build -j "$(scripts/jobs.sh)" corolla || die "the build failed (see above)"

stage "a small real model"
model=$(scripts/fetch_model.sh)

write_config() {  # write_config I PORT [PEER]: the server's options, as a file to play with
  cat >"$state/server$1.ini" <<CONFIG
; Written by scripts/quickstart.sh; config/node.ini explains every option.
[node]
name="server$1"
model="$model"
blocks="${blocks[$1 - 1]}"
port=$2
identity="$state/server$1.key"
peers=[${3:+\"$3\"}]
threads=1
log_file="$state/server$1.log"
CONFIG
}

start_server() {  # start_server I PORT [PEER]: returns when it is ready
  local fifo=$state/server$1.fifo line why read_status=0
  write_config "$@"
  rm -f "$fifo" && mkfifo "$fifo"
  setsid build/corolla node --config-file="$state/server$1.ini" >"$fifo" 2>"$state/server$1.err" </dev/null &
  echo $! >"$state/server$1.pid"
  # Standard output ends where the server does: then there is no line.
  read -t "$ready_seconds" -r line <"$fifo" || read_status=$?
  if [ $read_status -ne 0 ] || [[ $line != ready\ * ]]; then
    rm -f "$fifo"
    why=$(tail -1 "$state/server$1.err")
    [ $read_status -le 128 ] || why="it was not ready within $ready_seconds s, see $state/server$1.log"
    [[ $why != *" in use"* ]] || why+="; or run this with COROLLA_QUICKSTART_PORT=0 for any free one"
    stop_all
    die "server $1 did not start: ${why#corolla: }"
  fi
  rm -f "$fifo"
  say "   $line"
  cut -d' ' -f2 <<<"$line" >"$state/server$1.ready"
}

stage "three servers"
if is_up 1 && is_up 2 && is_up 3 && [ -s "$state/server1.ready" ] && [ build/corolla -ot "$state/server1.pid" ]; then
  say "   up already"
else
  stop_all
  start_server 1 "$first_port"
  start_server 2 0 "$(cat "$state/server1.ready")"
  start_server 3 0 "$(cat "$state/server1.ready")"
fi
peer=$(cat "$state/server1.ready")

stage "text through the swarm"
printf '   %s' "$prompt"
build/corolla generate --model "$model" --peers "$peer" --prompt "$prompt" --max-new-tokens 24 --threads 1 ||
  die "no text came; the servers' logs are $state/server*.log"
stage_end
say "== done in $((SECONDS - begun)) s"

if [ "${1:-}" != --once ]; then
  say "The servers stay up. Ask them yourself:"
  say "  build/corolla generate --model $model --peers $peer --prompt \"Once upon a time\" --max-new-tokens 40"
  say "and end them with: scripts/quickstart.sh stop"
fi
