// What the start of an instance costs the task that needs it.
#include "base/fd.hpp"
#include "cli/api.hpp"
#include "cli/bench.hpp"
#include "cli/bench_platform.hpp"
#include "cli/bench_rows.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <tcfdl/client.hpp>
#include <thread>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

using std::chrono::seconds;

constexpr const char* kFloor = "process_start";
constexpr const char* kTopology = "clusters:\n"
                                  "  - name: near\n"
                                  "    workers: [near-1]\n"
                                  "    autoscaling: {interval: 100ms, stable_window: 500ms, panic_window: 200ms,\n"
                                  "                  scale_to_zero_grace: 0ms}\n";

Error failed(const char* what) { return errno_error("cannot start the program of the floor:", what); }

/// Starts the functions' program outside of the platform, where it says so at once, and waits for the first byte.
Status start_process(const std::filesystem::path& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe");
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
  std::string name = program.string();
  char* arguments[] = {name.data(), nullptr};
  char* no_environment[] = {nullptr};
  pid_t pid = -1;
  errno = ::posix_spawn(&pid, name.c_str(), &actions, nullptr, arguments, no_environment);
  const int why = errno;
  ::posix_spawn_file_actions_destroy(&actions);
  errno = why;
  if (why != 0) return failed("posix_spawn");
  writing.reset();
  char first = 0;
  const auto got = ::read(reading.get(), &first, 1);
  ::waitpid(pid, nullptr, 0);
  return got == 1 ? Status() : Status(Error(Code::kInternal, "the program of the floor ended without a word"));
}

/// Waits until the function sleeps, with so many instances that are ready for its next task.
Status await_sleep(Api& api, const std::string& name, std::size_t warm) {
  for (const auto deadline = Deadline::after(seconds(60)); !deadline.expired();) {
    TCFDL_ASSIGN(const auto function, api.get(function_target(name)));
    const auto instances = function.value("instances", Json::array());
    const bool asleep = function.value("instances_wanted", 1) == 0 && instances.size() == warm &&
                        function.value("instances_warm", std::size_t{0}) == warm;
    if (asleep) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Deadline::exceeded("the wait until " + name + " sleeps");
}

/// Durations of first tasks of a function that sleeps.
Result<Sample> measure_starts(Api& api, Client& client, const std::string& name, std::size_t warm, unsigned repeats) {
  const Bytes body(64, 0x5A);
  CallOptions options;
  options.timeout = seconds(60);
  TCFDL_TRY(client.call(name, body, options)); // keys and connections of the caller are there from now on
  Sample sample;
  for (unsigned i = 0; i < repeats; ++i) {
    TCFDL_TRY(await_sleep(api, name, warm));
    const auto start = std::chrono::steady_clock::now();
    TCFDL_TRY(client.call(name, body, options));
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    sample.micros.push_back(spent.count());
  }
  return sample;
}

} // namespace

Result<Json> bench_start(const Session& session, unsigned repeats) {
  TCFDL_ASSIGN(const auto program, bench_program());
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session, kTopology));
  TCFDL_TRY(platform->deploy_sink("near", "bench/cold", "scale: {min: 0, max: 1}\n"));
  TCFDL_TRY(platform->deploy_sink("near", "bench/warm", "scale: {min: 0, max: 1, warm: 1}\n"));
  TCFDL_ASSIGN(auto api, Api::of_context("near"));
  TCFDL_ASSIGN(const auto client, Client::connect("near"));
  Json rows = Json::array();
  TCFDL_ASSIGN(const auto floor, measure(repeats, [&] { return start_process(program); }));
  const auto floor_p50 = floor.percentile(0.5);
  rows.push_back(bench_row(kFloor, 0, floor, kFloor, floor_p50));
  TCFDL_ASSIGN(const auto cold, measure_starts(api, *client, "bench/cold", 0, repeats));
  rows.push_back(bench_row("start_cold", 64, cold, kFloor, floor_p50));
  TCFDL_ASSIGN(const auto warm, measure_starts(api, *client, "bench/warm", 1, repeats));
  rows.push_back(bench_row("start_warm", 64, warm, kFloor, floor_p50));
  return rows;
}

} // namespace tcfdl::cli
