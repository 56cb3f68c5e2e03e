// Ports that daemons choose for themselves.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace tcfdl {

/// A TCP port of this machine. While this lives, no other process that asks for a port this way gets the same one, also
/// before somebody listens there: a socket of the abstract namespace (unix(7)) carries its number, which is shared by
/// exactly those processes that share their ports, and ends with its process.
class ReservedPort {
public:
  /// One of 127.0.0.1 that is free. RESOURCE_EXHAUSTED.
  static Result<ReservedPort> pick();
  /// A certain one, whether free or not. ALREADY_EXISTS while another process has it reserved.
  static Result<ReservedPort> take(std::uint16_t number);

  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }

private:
  ReservedPort(std::uint16_t number, UniqueFd reservation) : number_(number), reservation_(std::move(reservation)) {}

  std::uint16_t number_;
  UniqueFd reservation_;
};

} // namespace tcfdl
