#include "crypto/p256.hpp"

#include "crypto/openssl.hpp"

#include <openssl/err.h>
#include <openssl/obj_mac.h>

namespace tcfdl::crypto {
namespace {

const EC_GROUP* group() {
  static const EC_GROUP* const kP256 =
      require_object(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1), "making the group P-256");
  return kP256;
}

const BIGNUM* order() { return EC_GROUP_get0_order(group()); }

/// Scratch numbers of this thread, wiped when it ends.
BN_CTX* scratch() {
  thread_local const NativePtr<BN_CTX> kContext(require_object(BN_CTX_new(), "a context of numbers"));
  return kContext.get();
}

BN_MONT_CTX* order_montgomery() {
  static BN_MONT_CTX* const kMontgomery = [] {
    auto* const made = require_object(BN_MONT_CTX_new(), "a Montgomery context");
    require(BN_MONT_CTX_set(made, order(), scratch()), "Montgomery form modulo the order");
    return made;
  }();
  return kMontgomery;
}

/// q - 2, the exponent that inverts modulo the prime q (Fermat).
const BIGNUM* inverting_exponent() {
  static const BIGNUM* const kExponent = [] {
    auto* const made = require_object(BN_dup(order()), "a number");
    require(BN_sub_word(made, 2), "q - 2");
    return made;
  }();
  return kExponent;
}

BignumPtr new_secret_number() {
  BignumPtr number(require_object(internal::has_secret_room() ? BN_secure_new() : BN_new(), "a number"));
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  return number;
}

NativePtr<EC_POINT> new_point() { return NativePtr<EC_POINT>(require_object(EC_POINT_new(group()), "a point")); }

/// Whether `bytes` name a point of the curve, which `point` is then.
bool decode(BytesView bytes, EC_POINT* point) {
  return succeeded(EC_POINT_oct2point(group(), point, bytes.data(), bytes.size(), scratch()));
}

void encode(const EC_POINT* point, std::span<std::uint8_t, kPointSize> out) {
  require(EC_POINT_point2oct(group(), point, POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(), scratch()) ==
              out.size(),
          "encoding a point");
}

NativePtr<EC_POINT> multiple_of_generator(const Scalar& scalar) {
  auto product = new_point();
  require(EC_POINT_mul(group(), product.get(), scalar.native(), nullptr, nullptr, scratch()), "a multiple of P");
  return product;
}

NativePtr<EC_POINT> multiple(const EC_POINT* point, const Scalar& scalar) {
  auto product = new_point();
  require(EC_POINT_mul(group(), product.get(), nullptr, point, scalar.native(), scratch()), "a multiple of a point");
  return product;
}

SecretPoint secret_octets(const EC_POINT* point) {
  SecretPoint octets;
  encode(point, octets.span());
  return octets;
}

} // namespace

Scalar Scalar::random() {
  auto number = new_secret_number();
  do {
    require(BN_priv_rand_range(number.get(), order()), "the random generator");
  } while (BN_is_zero(number.get()));
  return Scalar(std::move(number));
}

Result<Scalar> Scalar::from_bytes(BytesView bytes) {
  if (bytes.size() != kScalarSize) {
    return make_error(Code::kInvalidArgument, "a P-256 scalar has 32 octets, this one {}", bytes.size());
  }
  auto number = new_secret_number();
  require(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), number.get()) != nullptr, "reading a number");
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), order()) >= 0) {
    return Error(Code::kInvalidArgument, "a P-256 scalar lies from 1 to q-1, this one does not");
  }
  return Scalar(std::move(number));
}

SecretBytes Scalar::to_bytes() const {
  SecretBytes bytes(kScalarSize);
  require(BN_bn2binpad(value_.get(), bytes.data(), static_cast<int>(kScalarSize)) == static_cast<int>(kScalarSize),
          "writing a number");
  return bytes;
}

Scalar Scalar::clone() const {
  auto number = new_secret_number();
  require(BN_copy(number.get(), value_.get()) != nullptr, "copying a number");
  return Scalar(std::move(number));
}

Scalar Scalar::inverse() const {
  auto number = new_secret_number();
  require(BN_mod_exp_mont_consttime(number.get(), value_.get(), inverting_exponent(), order(), scratch(),
                                    order_montgomery()),
          "an inverse modulo the order");
  return Scalar(std::move(number));
}

Scalar operator*(const Scalar& left, const Scalar& right) {
  auto number = new_secret_number();
  require(BN_to_montgomery(number.get(), left.native(), order_montgomery(), scratch()), "Montgomery form");
  require(BN_mod_mul_montgomery(number.get(), number.get(), right.native(), order_montgomery(), scratch()),
          "a product modulo the order");
  return Scalar(std::move(number));
}

Result<Point> Point::from_bytes(BytesView bytes) {
  if (bytes.size() != kPointSize) {
    return make_error(Code::kInvalidArgument, "a P-256 point has 65 octets uncompressed, this one {}", bytes.size());
  }
  if (bytes[0] != POINT_CONVERSION_UNCOMPRESSED) {
    return make_error(Code::kInvalidArgument, "an uncompressed P-256 point starts with 0x04, this one with 0x{:02x}",
                      bytes[0]);
  }
  auto parsed = new_point();
  if (!decode(bytes, parsed.get()) || EC_POINT_is_at_infinity(group(), parsed.get()) != 0) {
    ERR_clear_error();
    return Error(Code::kInvalidArgument, "the 65 octets are not a point on P-256");
  }
  return Point(std::move(parsed), bytes.first<kPointSize>());
}

Point::Point(Native native) : native_(std::move(native)) { encode(native_.get(), bytes_); }

Point::Point(Native native, std::span<const std::uint8_t, kPointSize> octets) : native_(std::move(native)) {
  std::ranges::copy(octets, bytes_.begin());
}

Point Point::generator_times(const Scalar& scalar) { return Point(multiple_of_generator(scalar)); }

Point Point::times(const Scalar& scalar) const { return Point(multiple(native_.get(), scalar)); }

SecretPoint secret_generator_times(const Scalar& scalar) { return secret_octets(multiple_of_generator(scalar).get()); }

SecretPoint secret_times(const Point& point, const Scalar& scalar) {
  return secret_octets(multiple(point.native_.get(), scalar).get());
}

} // namespace tcfdl::crypto
