#include "instance_manager/system_status.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <thread>
#include <unistd.h>

namespace tcfdl::instance_manager {
namespace {

namespace fs = std::filesystem;

std::uint64_t resident_bytes(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::uint64_t number = 0;
  return std::ifstream(path) >> number ? std::optional(number) : std::nullopt;
}

/// Of lines of a name and a number each.
std::optional<std::uint64_t> value_in(const fs::path& path, std::string_view wanted) {
  std::ifstream file(path);
  std::string name;
  for (std::uint64_t value = 0; file >> name >> value;) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

} // namespace

void fill_system_status(wire::NodeStatus& status) {
  std::ifstream memory("/proc/meminfo");
  std::string key;
  std::string unit;
  for (std::uint64_t kib = 0; memory >> key >> kib && std::getline(memory, unit);) {
    if (key == "MemTotal:") status.set_memory_total(kib * 1024);
    if (key == "MemAvailable:") status.set_memory_available(kib * 1024);
  }
  double load = 0;
  if (std::ifstream("/proc/loadavg") >> load) status.set_load(load);
  status.set_cores(std::thread::hardware_concurrency());
}

unsigned busy_tenths(const wire::NodeStatus& status) {
  if (status.cores() == 0 || !(status.load() > 0)) return 0;
  return static_cast<unsigned>(std::min(10.0, std::floor(status.load() * 10 / status.cores())));
}

std::uint64_t enclave_bytes(const wire::NodeStatus& status) {
  if (status.tee_kind() != "sgx") return status.memory_total();
  std::uint64_t sum = 0;
  std::error_code failure;
  for (const auto& node : std::filesystem::directory_iterator("/sys/devices/system/node", failure)) {
    std::uint64_t bytes = 0;
    if (std::ifstream(node.path() / "x86" / "sgx_total_bytes") >> bytes) sum += bytes;
  }
  return sum;
}

void fill_usage(wire::InstanceStatus& status, const std::vector<fs::path>& groups) {
  status.set_rss(resident_bytes(status.pid()));
  for (const auto& group : groups) {
    // The names of both versions; those of each are in one of the groups.
    for (const auto* name : {"memory.current", "memory.usage_in_bytes"}) {
      if (const auto bytes = number_in(group / name)) status.set_memory(*bytes);
    }
    if (const auto count = number_in(group / "pids.current")) status.set_processes(static_cast<std::uint32_t>(*count));
    if (const auto nanoseconds = number_in(group / "cpuacct.usage")) status.set_cpu_us(*nanoseconds / 1000);
    if (const auto used = value_in(group / "cpu.stat", "usage_usec")) status.set_cpu_us(*used);
  }
}

} // namespace tcfdl::instance_manager
