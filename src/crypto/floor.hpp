// What benchmarks compare with: single operations of OpenSSL with nothing of ours around them.
#pragma once

#include "crypto/p256.hpp"

namespace tcfdl::crypto {

/// One multiplication of a point of P-256 by a scalar, both prepared. One thread at a time.
class MultiplicationFloor {
public:
  MultiplicationFloor(const Point& point, const Scalar& scalar);
  ~MultiplicationFloor();
  MultiplicationFloor(const MultiplicationFloor&) = delete;
  MultiplicationFloor& operator=(const MultiplicationFloor&) = delete;

  void run();

private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

} // namespace tcfdl::crypto
