#!/usr/bin/env bash
# Runs all tests of a built tree, then the checks, and closes with ctest's summary of the tests.
# Usage: scripts/run_tests.sh BUILD_DIRECTORY JOBS
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1
jobs=$2
log=$build/ctest.log

# Tests of whole clusters wait for much of their time.
ctest --test-dir "$build" -j "$((jobs + jobs / 2))" --output-on-failure --no-tests=error 2>&1 | tee "$log"
tests=$?
TCFDL_BUILD_DIR=$build scripts/check.sh
checks=$?
if [ "$checks" -ne 0 ]; then
  echo "the checks failed, see above"
fi
sed -n '/tests passed,/,$p' "$log"
[ "$tests" -eq 0 ] && [ "$checks" -eq 0 ]
