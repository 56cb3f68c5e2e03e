// What to start and stop so that a function has the instances it should: a pure function.
#pragma once

#include "instance_manager/lifecycle.hpp"

#include <chrono>
#include <span>

namespace tcfdl::instance_manager {

struct InstanceView {
  InstanceId id;
  NodeId node;
  std::uint64_t version = 0;
  bool ready = false;
  bool counts = false; ///< ready, or on a good way there
  bool busy = false;   ///< it has tasks
  bool leaves = false; ///< its node is drained
  bool warm = false;   ///< ready, and gets no tasks until it is needed
};

struct NodeChoice {
  NodeId node;
  bool is_master = false;
  std::size_t instances = 0;    ///< of all functions
  std::size_t room = 1'000'000; ///< for instances of this function
  unsigned in_use = 0;          ///< tenths of the resource that is used most
};

struct Plan {
  std::vector<NodeId> start; ///< one entry for each instance to start
  std::vector<InstanceId> stop;
  std::size_t unplaced = 0; ///< instances to start for which no node has room
};

/// `instances` are the function's that do not end already, `nodes` those that can run it.
/// While fewer than `scale` are ready, as many start as are lacking, but no more than twice the scale exist: a program
/// that never gets ready does not multiply. They go, where there is room, to the node with the fewest instances of the
/// function; among equals workers come first, then nodes with more left, then those with fewer instances. Once enough
/// are ready, other versions stop, and what is above both scale and `keep`: idle instances before busy ones. What
/// leaves is treated as another version is: it goes when there is enough elsewhere.
/// `warm` more instances are started and stay; what is above goes from those that take tasks while these are more than
/// the scale, else from the warm ones.
Plan make_plan(std::uint64_t version, std::size_t scale, std::span<const InstanceView> instances,
               std::span<const NodeChoice> nodes, std::size_t keep = 0, std::size_t warm = 0);

} // namespace tcfdl::instance_manager
