// What handlers say that they ran, and how late this machine is.
#pragma once

#include "base/fd.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace tcfdl::test {

/// Takes what handlers of `chaos_function` say: whose run it is, once a run. Over loopback the kernel has it before the
/// handler goes on, so that no kill takes it away; over a network its link must be up.
class Journal {
public:
  /// `host`: an IPv4 address of this machine that the handlers reach.
  explicit Journal(std::string host = "127.0.0.1");
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  /// How often a task began.
  [[nodiscard]] unsigned runs(const std::string& id) const;
  /// The body of a task that notes `id` here and works so long.
  [[nodiscard]] std::string body(std::chrono::milliseconds work, const std::string& id) const;

private:
  void read_loop();
  /// Counts what the kernel has; under the mutex, so that nothing that was read is not counted.
  void take_in() const;

  UniqueFd socket_;
  const std::string host_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  mutable std::map<std::string, unsigned> runs_; // guarded by mutex_
  std::atomic<bool> over_ = false;
  std::thread reader_;
};

/// Measures how late threads of this machine are woken, which is what tests that look at times have to allow for.
class MachineNoise {
public:
  MachineNoise();
  MachineNoise(const MachineNoise&) = delete;
  MachineNoise& operator=(const MachineNoise&) = delete;
  ~MachineNoise();

  /// The largest so far.
  [[nodiscard]] std::chrono::milliseconds worst() const { return std::chrono::milliseconds(worst_.load()); }

private:
  std::atomic<std::int64_t> worst_ = 0;
  std::atomic<bool> over_ = false;
  std::thread ticker_;
};

} // namespace tcfdl::test
