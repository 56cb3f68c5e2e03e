#!/usr/bin/env bash
# A vehicle sends camera images of number plates; the roadside cluster reads them. Ends everything that it started.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$here/../../build/bin" && pwd)
work=$(mktemp -d)
export TCFDL_CONTEXT_DIR=$work/contexts

cleanup() {
  trap '' INT TERM
  "$bin/tcfdl" down --state "$work/state" --delete >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== starting a service manager, a vehicle and a roadside cluster"
"$bin/tcfdl" up --detach --state "$work/state" --topology "$here/topology.yaml"

echo "== deploying the functions at the roadside"
for function in text_detect text_recognise plates_read; do
  "$bin/tcfdl" --context roadside function deploy "$here/functions/$function.yaml"
done
"$bin/tcfdl" --context roadside status

echo "== the vehicle sends images"
"$bin/plates-render" "$work/images" --count "${PLATES:-12}" >/dev/null
python3 "$here/send_images.py" "$bin/tcfdl" "$work/images"
