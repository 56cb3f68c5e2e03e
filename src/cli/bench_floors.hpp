// The floors of benchmarks: the same exchange over a raw connection and over a NATS server.
#pragma once

#include "cli/bench_rows.hpp"

#include <memory>
#include <tcfdl/bytes.hpp>

namespace tcfdl::cli {

/// A nats-server of its own with max_payload 8 MiB, and an echo on loopback TCP; one thread on each side.
class Floors {
public:
  static Result<std::unique_ptr<Floors>> start();
  Floors(const Floors&) = delete;
  Floors& operator=(const Floors&) = delete;
  ~Floors();

  /// One request of that body, which outlives it, and its reply of 64 bytes.
  Operation tcp(const Bytes& body);
  /// The same after one AES-128-GCM pass over the body, and with another after it.
  Operation tcp_sealed(const Bytes& body);
  Operation nats(const Bytes& body);

private:
  class Impl;
  explicit Floors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace tcfdl::cli
