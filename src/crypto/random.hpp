// Unpredictable octets.
#pragma once

#include "crypto/secret.hpp"

namespace tcfdl::crypto {

/// Fills `out` from libcrypto's generator; any thread. Ends the process if the generator fails: nothing in this
/// system is safe without it.
void random_bytes(std::span<std::uint8_t> out) noexcept;

template <std::size_t N> std::array<std::uint8_t, N> random_array() noexcept {
  std::array<std::uint8_t, N> bytes{};
  random_bytes(bytes);
  return bytes;
}

template <std::size_t N> SecretArray<N> random_secret() noexcept {
  SecretArray<N> secret;
  random_bytes(secret.span());
  return secret;
}

} // namespace tcfdl::crypto
