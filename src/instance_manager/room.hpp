// Whether a node has room for an instance, and what it lacks: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tcfdl::instance_manager {

using Labels = std::map<std::string, std::string>;

/// What each instance of a function needs.
struct Needs {
  std::uint64_t memory = 0;         ///< bytes; 0: nothing is said
  std::uint64_t enclave_memory = 0; ///< bytes
  std::uint64_t millicores = 0;     ///< thousandths of a core
  Labels labels = {};               ///< of the node, each with this value
  // Bounds that no room is kept for; 0: none.
  std::uint32_t processes = 0; ///< and threads
  std::uint32_t most_millicores = 0;
};

/// A node's sum and what is left of it; a sum of 0 is not known and bounds nothing.
struct Amount {
  std::uint64_t total = 0;
  std::uint64_t left = 0;
};

struct NodeRoom {
  Amount memory;
  Amount enclave_memory;
  Amount millicores;
  Labels labels = {};

  /// Takes the needs of an instance off. `used`: bytes of memory that it has already, so that they are missing in what
  /// the node reports as available.
  void reserve(const Needs& needs, std::uint64_t used);
};

/// How many instances fit; a million when nothing bounds them.
std::size_t room_for(const Needs& needs, const NodeRoom& node);

/// What keeps one instance away, as "memory: 2.0 GiB wanted, 0.5 GiB of 4.0 GiB left"; empty when it fits.
std::string shortage(const Needs& needs, const NodeRoom& node);

/// The part of the node that is in use, of the resource that is used most; 0 to 10.
unsigned tenths_in_use(const NodeRoom& node);

} // namespace tcfdl::instance_manager
