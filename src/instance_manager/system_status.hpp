// What this machine and its processes use, from /proc.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::instance_manager {

/// Sets memory, cores and load. What cannot be read stays 0.
void fill_system_status(wire::NodeStatus& status);

/// Bytes of a process that are resident; 0 if it is gone.
std::uint64_t resident_bytes(std::uint32_t pid);

} // namespace tcfdl::instance_manager
