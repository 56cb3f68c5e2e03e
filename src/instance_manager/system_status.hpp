// What this machine and its processes use, from /proc.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::instance_manager {

/// Sets memory, cores and load. What cannot be read stays 0.
void fill_system_status(wire::NodeStatus& status);

/// Bytes of all enclaves of this machine together, 0 where they are not known: with SGX the memory that Linux tells in
/// /sys/devices/system/node/node*/x86/sgx_total_bytes (Documentation/ABI/stable/sysfs-devices-node), with other kinds
/// of TEE the machine's, since there it is the enclave.
std::uint64_t enclave_bytes(const wire::NodeStatus& status);

/// Bytes of a process that are resident; 0 if it is gone.
std::uint64_t resident_bytes(std::uint32_t pid);

} // namespace tcfdl::instance_manager
