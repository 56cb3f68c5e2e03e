#!/usr/bin/env bash
# The one command for what is checked besides tests: form, layers, lint and files that must be there.
# Usage: scripts/check.sh [-f] [name …]    -f formats the sources; names choose checks (all by default).
# TCFDL_BUILD_DIR is a built tree whose compile commands clang-tidy reads (build/dev by default).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

all_checks=(format layers python tidy markers shell licence changelog)
fix=false
if [ "${1:-}" = "-f" ]; then
  fix=true
  shift
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The project's own files, by find's arguments; nothing built or installed.
files() {
  find . \( -path ./build -o -path ./.git -o -name node_modules -o -name dist -o -name '.?*' -type d \) -prune \
    -o -type f \( "$@" \) -print0
}

check_format() {
  if $fix; then
    files -name '*.cpp' -o -name '*.hpp' | xargs -0 -r clang-format-19 -i
    return
  fi
  local found
  found=$(files -name '*.cpp' -o -name '*.hpp' | xargs -0 -r clang-format-19 --dry-run 2>&1 |
    sed -n 's/^\([^:]*\):[0-9:]* warning: .*/\1/p' | sort | uniq -c)
  [ -z "$found" ] && return 0
  printf '%s\nplaces in these files are not as clang-format-19 writes them: scripts/check.sh -f format\n' "$found"
  return 1
}

check_layers() { python3 scripts/check_layers.py; }

check_python() { python3 -B -m unittest discover -q -s scripts/tests -p '*_test.py'; }

check_tidy() { python3 scripts/tidy.py "${TCFDL_BUILD_DIR:-build/dev}"; }

# Words for postponed work: an issue is the place for it.
check_markers() {
  local found
  found=$(files -not -name '*.svg' -not -name 'package-lock.json' |
    xargs -0 -r grep -nIwE 'T[O]DO|F[I]XME|X[X]X|H[A]CK|W[I]P' || true)
  [ -z "$found" ] && return 0
  printf '%s\nleftover markers: do it now or open an issue\n' "$found"
  return 1
}

check_shell() {
  { files -name '*.sh'; if [ -f .ci/run ]; then printf '.ci/run\0'; fi; } | xargs -0 -r shellcheck
}

check_licence() {
  grep -qs 'Apache License' LICENSE && grep -q 'Version 2.0' LICENSE && return 0
  echo "LICENSE: the text of the Apache License, Version 2.0 is missing"
  return 1
}

check_changelog() {
  grep -qs '^## \[Unreleased\]' CHANGELOG.md && return 0
  echo "CHANGELOG.md: no section '## [Unreleased]'"
  return 1
}

if [ $# -eq 0 ]; then set -- "${all_checks[@]}"; fi
failures=()
for name in "$@"; do
  if ! declare -F "check_$name" >/dev/null; then
    echo "check.sh: no check '$name'; there are: ${all_checks[*]}" >&2
    exit 2
  fi
  if "check_$name" >"$log" 2>&1; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    cat "$log"
    failures+=("$name")
  fi
done
if [ ${#failures[@]} -gt 0 ]; then
  echo "failed checks: ${failures[*]}"
  exit 1
fi
