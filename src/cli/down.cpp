#include "base/deadline.hpp"
#include "base/file.hpp"
#include "cli/client_state.hpp"
#include "cli/daemon.hpp"
#include "cli/state_lock.hpp"
#include "cli/up.hpp"

#include <csignal>
#include <thread>

namespace tcfdl::cli {
namespace {

constexpr std::chrono::seconds kPatience{90}; // three groups of daemons, and the kill of each

/// Signals the holder of the lock and waits until the lock is free: then its daemons are gone.
Result<bool> end_supervisor(const Layout& layout) {
  TCFDL_ASSIGN(const auto holder, StateLock::holder(layout.lock()));
  if (!holder) return false;
  if (::kill(*holder, SIGTERM) != 0 && errno != ESRCH) {
    return errno_error("cannot stop the supervisor", std::to_string(*holder));
  }
  for (const auto deadline = Deadline::after(kPatience); !deadline.expired();) {
    TCFDL_ASSIGN(const auto now, StateLock::holder(layout.lock()));
    if (!now || *now != *holder) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return make_error(Code::kDeadlineExceeded, "process {} does not end; its logs are in {}", *holder,
                    layout.logs().string());
}

} // namespace

Status down(const Session& session, const DownOptions& options) {
  const auto layout = Layout::at(options.state);
  TCFDL_ASSIGN(const auto ran, end_supervisor(layout));
  if (options.remove && std::filesystem::exists(layout.lock())) {
    TCFDL_ASSIGN(const auto lock, StateLock::acquire(layout.lock()));
    TCFDL_TRY(remove_contexts(layout));
    TCFDL_TRY(layout.remove());
  }
  if (session.json) {
    print_json({{"state", layout.root().string()}, {"was_running", ran}, {"deleted", options.remove}});
  } else {
    print(fmt::format("{} {}{}\n", ran ? "stopped what ran in" : "nothing runs in", layout.root().string(),
                      options.remove ? "; deleted" : ""));
  }
  return {};
}

} // namespace tcfdl::cli
