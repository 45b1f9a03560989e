#!/usr/bin/env bash
# How many compilers may run at once: one a processor, and about 1.5 GB of free memory each.
set -euo pipefail
by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
by_processor=$(nproc)
jobs=$((by_memory < by_processor ? by_memory : by_processor))
echo $((jobs > 0 ? jobs : 1))
