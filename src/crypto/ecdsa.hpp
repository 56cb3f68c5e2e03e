// ECDSA (FIPS 186-5) over P-256 with SHA-256 and P-384 with SHA-384, with raw keys and signatures as hardware writes
// them. Keys of this project's own statements: signature.hpp.
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::crypto {

enum class Curve : std::uint8_t { kP256, kP384 };

/// Bytes of a coordinate, and of r and of s: 32 or 48.
constexpr std::size_t coordinate_size(Curve curve) noexcept { return curve == Curve::kP256 ? 32 : 48; }

/// Checks `r_and_s` (both big endian, of `coordinate_size`) over `message` with the public key `point` (0x04 ‖ x ‖ y).
/// INVALID_ARGUMENT for a point or signature of another size and a point off the curve; UNAUTHENTICATED when the
/// signature is not of that key over that message.
Status verify_ecdsa(Curve curve, BytesView point, BytesView message, BytesView r_and_s);

} // namespace tcfdl::crypto
