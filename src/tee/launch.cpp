#include "tee/launch.hpp"

#include "base/child.hpp"
#include "base/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <unistd.h>

namespace tcfdl::tee {
namespace {

/// Strings in the form that exec takes; valid as long as they live.
class StringArray {
public:
  explicit StringArray(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (auto& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  [[nodiscard]] char* const* get() const { return pointers_.data(); }

private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_of(const MeasuredBundle& bundle, const LaunchSettings& settings) {
  std::map<std::string, std::string> merged{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : bundle.manifest.environment) merged[name] = value;
  merged["LD_LIBRARY_PATH"] = (bundle.directory / "lib").string();
  for (const auto& [name, value] : settings.environment) merged[name] = value;
  std::vector<std::string> texts;
  texts.reserve(merged.size());
  for (const auto& [name, value] : merged) texts.push_back(fmt::format("{}={}", name, value));
  return texts;
}

/// What the child does between fork and exec: calls that are safe there, and nothing else.
struct Child {
  pid_t parent;
  int program;
  int output;
  const char* directory;
  char* const* arguments;
  char* const* environment;

  [[noreturn]] void run() const {
    begin_child(parent);
    ::setpgid(0, 0);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const int input = ::open("/dev/null", O_RDONLY);
    if (input < 0 || ::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) ::_exit(127);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (::chdir(directory) != 0) ::_exit(127);
    ::fexecve(program, arguments, environment);
    ::_exit(127);
  }
};

} // namespace

Result<pid_t> launch(const MeasuredBundle& bundle, const LaunchSettings& settings) {
  const auto log = settings.log.empty() ? std::filesystem::path("/dev/null") : settings.log;
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (!output.valid()) return errno_error("cannot write the log", log);
  const StringArray arguments(bundle.manifest.command);
  const StringArray environment(environment_of(bundle, settings));
  const auto directory = bundle.directory.string();
  const Child child{::getpid(),        bundle.program.get(), output.get(),
                    directory.c_str(), arguments.get(),      environment.get()};
  const auto pid = ::fork();
  if (pid < 0) return errno_error("cannot start a process for", bundle.manifest.command.front());
  if (pid == 0) child.run();
  return pid;
}

} // namespace tcfdl::tee
