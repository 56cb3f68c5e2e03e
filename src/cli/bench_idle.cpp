#include "base/file.hpp"
#include "cli/bench.hpp"
#include "cli/tcp_traffic.hpp"
#include "cli/up.hpp"
#include "node/pace.hpp"

#include <charconv>
#include <cstdlib>
#include <sstream>
#include <thread>

namespace tcfdl::cli {
namespace {

constexpr std::uint64_t kMemoryAim = std::uint64_t{15} << 20U;
constexpr std::uint64_t kDailyAim = 100'000;
constexpr double kHour = 3600;
constexpr double kDay = 24 * kHour;

/// A cluster with one worker in a directory that goes with it.
class IdlePlatform {
public:
  IdlePlatform() = default;
  IdlePlatform(const IdlePlatform&) = delete;
  IdlePlatform& operator=(const IdlePlatform&) = delete;
  ~IdlePlatform() {
    if (running_) (void)down(Session(), {.state = state(), .remove = true});
  }

  Status start(const Session& session) {
    ::setenv("TCFDL_CONTEXT_DIR", (root_.path() / "contexts").c_str(), 1);
    const auto topology = root_.path() / "topology.yaml";
    TCFDL_TRY(write_file(topology, as_bytes(std::string_view("clusters: [{name: local, workers: [idle-1]}]\n"))));
    auto quiet = session;
    quiet.json = false;
    TCFDL_TRY(up(quiet, {.state = state(), .topology = topology.string(), .detach = true}));
    running_ = true;
    return {};
  }
  /// What a daemon's ready file says under a key.
  [[nodiscard]] Result<std::int64_t> ready(const std::string& daemon, const std::string& key) const {
    const auto file = root_.path() / "state" / "ready" / (daemon + ".json");
    TCFDL_ASSIGN(const auto text, read_text_file(file));
    const auto document = Json::parse(text, nullptr, false);
    if (document.is_object() && document.contains(key)) return document[key].get<std::int64_t>();
    return make_error(Code::kInternal, "{} has no '{}'", file.string(), key);
  }

private:
  [[nodiscard]] std::string state() const { return (root_.path() / "state").string(); }
  TemporaryDirectory root_;
  bool running_ = false;
};

/// A figure in kB of /proc/PID/FILE, in bytes.
std::uint64_t figure_of(pid_t pid, const char* file, std::string_view key) {
  const auto text = read_text_file(std::filesystem::path("/proc") / std::to_string(pid) / file).value_or("");
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  const auto begin = text.find_first_of("0123456789", at);
  std::uint64_t kilobytes = 0;
  std::from_chars(text.data() + begin, text.data() + text.size(), kilobytes);
  return kilobytes << 10U;
}

/// A child of a process whose program has that name; -1 for none.
pid_t child_of(pid_t parent, const std::string& program) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", parent), failure)) {
    std::istringstream children(read_text_file(entry.path() / "children").value_or(""));
    for (pid_t pid = 0; children >> pid;) {
      const auto name = read_text_file(fmt::format("/proc/{}/comm", pid)).value_or("");
      if (name.starts_with(program)) return pid;
    }
  }
  return -1;
}

Json memory_of(const char* process, pid_t pid) {
  return {{"process", process},
          {"resident_bytes", figure_of(pid, "status", "VmRSS:")},
          {"proportional_bytes", figure_of(pid, "smaps_rollup", "Pss:")},
          {"private_bytes", figure_of(pid, "smaps_rollup", "Private_Dirty:")}};
}

} // namespace

Result<Json> bench_idle(const Session& session, std::chrono::seconds length) {
  IdlePlatform platform;
  TCFDL_TRY(platform.start(session));
  TCFDL_ASSIGN(const auto worker, platform.ready("idle-1", "pid"));
  TCFDL_ASSIGN(const auto port, platform.ready("local-master", "nats_port"));
  const auto pid = static_cast<pid_t>(worker);
  const auto traffic = [&] { return tcp_traffic(pid, static_cast<std::uint16_t>(port)); };
  // Heartbeats are rare once nothing has changed for a while.
  std::this_thread::sleep_for(node::PaceSettings().calm + std::chrono::seconds(10));
  TCFDL_ASSIGN(const auto before, traffic());
  std::this_thread::sleep_for(length);
  TCFDL_ASSIGN(const auto after, traffic());
  const auto bytes = static_cast<double>(after.ip_bytes() - before.ip_bytes());
  const auto seconds = static_cast<double>(length.count());
  Json memory = Json::array({memory_of("tcfdl worker", pid), memory_of("tcfdl-proxy", child_of(pid, "tcfdl-proxy"))});
  return Json{{"seconds", length.count()},
              {"memory", std::move(memory)},
              {"memory_aim_bytes", kMemoryAim},
              {"connections", after.connections},
              {"tcp_payload_bytes", after.payload - before.payload},
              {"tcp_segments", after.segments - before.segments},
              {"ip_bytes", bytes},
              {"ip_bytes_per_hour", bytes * kHour / seconds},
              {"ip_bytes_per_day", bytes * kDay / seconds},
              {"ip_bytes_per_day_aim", kDailyAim}};
}

} // namespace tcfdl::cli
