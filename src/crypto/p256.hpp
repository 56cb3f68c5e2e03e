// Arithmetic on NIST P-256 (SP 800-186): scalars modulo the prime order q of the group, and points of it.
#pragma once

#include "base/result.hpp"
#include "crypto/openssl_fwd.hpp"
#include "crypto/secret.hpp"

namespace tcfdl::crypto {

constexpr std::size_t kScalarSize = 32;
/// 0x04, then both coordinates, big endian (SEC 1 section 2.3.3).
constexpr std::size_t kPointSize = 65;

/// A secret number from 1 to q-1. Wiped when it goes; arithmetic takes the same time for every value. Move-only, and a
/// moved-from scalar may only be assigned or destroyed. Const members are thread-safe.
class Scalar {
public:
  /// Uniform over 1 … q-1.
  static Scalar random();

  /// From 32 octets, big endian. INVALID_ARGUMENT for another length, 0, or q and above.
  static Result<Scalar> from_bytes(BytesView bytes);

  [[nodiscard]] SecretBytes to_bytes() const;
  [[nodiscard]] Scalar clone() const;

  /// 1/this modulo q.
  [[nodiscard]] Scalar inverse() const;

  /// The product modulo q.
  friend Scalar operator*(const Scalar& left, const Scalar& right);

  [[nodiscard]] const bignum_st* native() const noexcept { return value_.get(); }

private:
  explicit Scalar(BignumPtr value) : value_(std::move(value)) {}

  BignumPtr value_;
};

/// A point that is itself a secret, as its 65 octets.
using SecretPoint = SecretArray<kPointSize>;

/// A point on the curve other than the identity, always: no other value can be made. Copyable, immutable, thread-safe.
class Point {
public:
  /// Moving copies: what is left behind is a point, too.
  Point(const Point&) = default;
  Point& operator=(const Point&) = default;
  ~Point() = default;

  /// From its 65 uncompressed octets. INVALID_ARGUMENT for another length or form, coordinates that are not on the
  /// curve or not below the field's prime, and the identity.
  static Result<Point> from_bytes(BytesView bytes);

  /// scalar·P for the generator P.
  static Point generator_times(const Scalar& scalar);

  /// scalar·this: one multiplication on the curve.
  [[nodiscard]] Point times(const Scalar& scalar) const;

  [[nodiscard]] std::span<const std::uint8_t, kPointSize> bytes() const noexcept { return bytes_; }

  friend bool operator==(const Point& left, const Point& right) { return left.bytes_ == right.bytes_; }

private:
  using Native = std::shared_ptr<const ec_point_st>;

  explicit Point(Native native);
  /// `octets` are those of `native`.
  Point(Native native, std::span<const std::uint8_t, kPointSize> octets);

  /// As libcrypto holds it, so that a multiplication does not decode and check it again.
  Native native_;
  std::array<std::uint8_t, kPointSize> bytes_{};
  friend SecretPoint secret_times(const Point& point, const Scalar& scalar);
};

SecretPoint secret_generator_times(const Scalar& scalar);
SecretPoint secret_times(const Point& point, const Scalar& scalar);

} // namespace tcfdl::crypto
