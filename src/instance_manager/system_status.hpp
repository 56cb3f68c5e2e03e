// What this machine and its processes use, from /proc and control groups.
#pragma once

#include "wire/messages.hpp"

#include <filesystem>
#include <vector>

namespace tcfdl::instance_manager {

/// Sets memory, cores and load. What cannot be read stays 0.
void fill_system_status(wire::NodeStatus& status);

/// Tenths of a machine's processors that the last minute kept busy.
unsigned busy_tenths(const wire::NodeStatus& status);

/// Bytes of all enclaves of this machine together, 0 where they are not known: with SGX the memory that Linux tells in
/// /sys/devices/system/node/node*/x86/sgx_total_bytes (Documentation/ABI/stable/sysfs-devices-node), with other kinds
/// of TEE the machine's, since there it is the enclave.
std::uint64_t enclave_bytes(const wire::NodeStatus& status);

/// Sets what an instance uses: the resident memory of its process `pid`, and what its control groups count. What cannot
/// be read stays 0.
void fill_usage(wire::InstanceStatus& status, const std::vector<std::filesystem::path>& groups);

} // namespace tcfdl::instance_manager
