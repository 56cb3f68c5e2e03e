// A function as the cluster holds it.
#pragma once

#include "base/clock.hpp"
#include "function_manager/settings.hpp"
#include "wire/messages.hpp"

#include <optional>

namespace tcfdl::function_manager {

struct FunctionRecord {
  wire::Descriptor descriptor; ///< checked
  wire::Signed signed_descriptor;
  Bytes manifest; ///< JSON; its SHA-256 is the descriptor's measurement
  FunctionSettings settings;
  std::optional<wire::KeyPackage> content_key; ///< of its confidential files, sealed to the authority
  UnixSeconds created = 0;                     ///< first deployed here
  UnixSeconds updated = 0;
  bool registered = false;        ///< the registry holds this version for this cluster
  std::string registration_error; ///< why not
};

/// A version that was tried and given up.
struct Rollback {
  std::uint64_t version = 0;
  std::string reason;
  UnixSeconds time = 0;
};

} // namespace tcfdl::function_manager
