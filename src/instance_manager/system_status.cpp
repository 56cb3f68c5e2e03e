#include "instance_manager/system_status.hpp"

#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace tcfdl::instance_manager {

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

std::uint64_t resident_bytes(std::uint32_t pid) {
  if (pid == 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace tcfdl::instance_manager
