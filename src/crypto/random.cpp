#include "crypto/random.hpp"

#include "crypto/openssl.hpp"

#include <openssl/rand.h>

namespace tcfdl::crypto {

void random_bytes(std::span<std::uint8_t> out) noexcept {
  constexpr std::size_t kAtOnce = std::size_t{1} << 20U;
  while (!out.empty()) {
    const auto part = out.first(std::min(out.size(), kAtOnce));
    require(RAND_bytes(part.data(), static_cast<int>(part.size())), "the random generator");
    out = out.subspan(part.size());
  }
}

} // namespace tcfdl::crypto
