#!/usr/bin/env bash
# Runs each built fuzz target for some seconds from its seeds; new inputs stay in the build directory.
# Usage: scripts/run_fuzz.sh BUILD_DIRECTORY SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
seconds=$2

if [ "$seconds" -eq 0 ]; then exit 0; fi
for program in "$build"/fuzz/fuzz_*; do
  if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
  target=${program##*/fuzz_}
  corpus=$build/fuzz/corpus/$target
  mkdir -p "$corpus"
  folders=("$corpus")
  if [ -d "fuzz/seeds/$target" ]; then folders+=("fuzz/seeds/$target"); fi
  echo "fuzz $target for $seconds s"
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="$build/fuzz/" "${folders[@]}"
done
