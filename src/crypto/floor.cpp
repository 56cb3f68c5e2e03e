#include "crypto/floor.hpp"

#include "crypto/openssl.hpp"

#include <openssl/obj_mac.h>

namespace tcfdl::crypto {
namespace {

const EC_GROUP* curve() {
  static const EC_GROUP* const kP256 =
      require_object(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1), "making the group P-256");
  return kP256;
}

} // namespace

struct MultiplicationFloor::Parts {
  NativePtr<EC_POINT> point;
  NativePtr<EC_POINT> product;
  NativePtr<BN_CTX> scratch;
  Scalar scalar;
};

MultiplicationFloor::MultiplicationFloor(const Point& point, const Scalar& scalar) {
  NativePtr<EC_POINT> native(require_object(EC_POINT_new(curve()), "a point"));
  NativePtr<EC_POINT> product(require_object(EC_POINT_new(curve()), "a point"));
  NativePtr<BN_CTX> scratch(require_object(BN_CTX_new(), "a context of numbers"));
  require(EC_POINT_oct2point(curve(), native.get(), point.bytes().data(), point.bytes().size(), scratch.get()),
          "decoding a checked point");
  parts_ = std::make_unique<Parts>(Parts{std::move(native), std::move(product), std::move(scratch), scalar.clone()});
}

MultiplicationFloor::~MultiplicationFloor() = default;

void MultiplicationFloor::run() {
  require(EC_POINT_mul(curve(), parts_->product.get(), nullptr, parts_->point.get(), parts_->scalar.native(),
                       parts_->scratch.get()),
          "a multiple of a point");
}

} // namespace tcfdl::crypto
