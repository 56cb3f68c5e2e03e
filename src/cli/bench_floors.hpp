// The floors of benchmarks: the same exchange over a raw connection and over a NATS server.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <memory>
#include <tcfdl/bytes.hpp>

namespace tcfdl::cli {

/// One request of some size and its reply of 64 bytes.
using Exchange = std::function<Status()>;

/// A nats-server of its own with max_payload 8 MiB, and an echo on loopback TCP; one thread on each side.
class Floors {
public:
  static Result<std::unique_ptr<Floors>> start();
  Floors(const Floors&) = delete;
  Floors& operator=(const Floors&) = delete;
  ~Floors();

  /// The body outlives the exchange.
  Exchange tcp(const Bytes& body);
  Exchange nats(const Bytes& body);

private:
  class Impl;
  explicit Floors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace tcfdl::cli
