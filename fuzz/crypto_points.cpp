// Points and HPKE texts from outside: parsing never crashes, what parses round-trips, and nothing forged opens.
#include "crypto/hpke.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::crypto;
  const tcfdl::BytesView input(data, size);
  const auto start = input.first(std::min(size, kPointSize));
  if (const auto point = Point::from_bytes(start); point && !std::ranges::equal(point->bytes(), start)) std::abort();
  if (const auto scalar = Scalar::from_bytes(input.first(std::min(size, kScalarSize)))) {
    if (!Point::from_bytes(Point::generator_times(*scalar).bytes())) std::abort();
  }
  static const auto kRecipient = HpkePrivateKey::generate();
  if (hpke_open(kRecipient, tcfdl::as_bytes("info"), {}, input)) std::abort();
  return 0;
}
