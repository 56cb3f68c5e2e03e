// Callers that go on while things fail, and the rules that their calls are held against.
#pragma once

#include "support/journal.hpp"

#include <functional>
#include <tcfdl/client.hpp>
#include <vector>

namespace tcfdl::test {

/// One call as its caller saw it.
struct LoadedCall {
  std::string id;
  std::chrono::steady_clock::time_point began;
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds took{};
  Result<std::string> outcome = Error(Code::kUnknown, "");
};

struct LoadSettings {
  std::string name = "load"; ///< begins the ids of its tasks
  unsigned callers = 3;
  std::chrono::milliseconds timeout{5000};
  std::chrono::milliseconds work{10};  ///< of each task
  std::chrono::milliseconds pause{15}; ///< of a caller between its calls
  bool may_run_twice = false;          ///< the function is declared idempotent
  /// Clocks are set meanwhile: what was sealed before, and is stored, may end with FAILED_PRECONDITION.
  bool clocks_are_set = false;
};

/// How a call is made: with a body, within a time.
using MakeCall = std::function<Result<std::string>(const std::string& body, std::chrono::milliseconds timeout)>;

/// Calls of a function through the SDK.
MakeCall calls_of(Client& client, std::string function, Protection protection = Protection::kEae);

/// Threads that call one after the other until the load is stopped.
class Load {
public:
  Load(MakeCall call, const Journal& journal, LoadSettings settings = {});
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() { stop(); }

  /// Whether so many calls that begin from now on succeed, before a minute is over.
  bool serves(std::size_t calls = 12) const;
  /// Whether so many calls that begin from now on end, in whatever way, before two minutes are over.
  bool ends(std::size_t calls) const;
  /// Ends it, after the calls in flight.
  void stop();
  /// What its calls did that they must not, a line each; empty: nothing. After `stop`. A call gives its answer, or ends
  /// with a code of the platform for something that is away, and not after its time, but for what the machine is late.
  /// No task runs twice, unless the function may.
  [[nodiscard]] std::string violations() const;
  /// Calls that had no success.
  [[nodiscard]] std::size_t failures() const;
  /// How many calls had each outcome, for people.
  [[nodiscard]] std::string summary() const;

private:
  void call_loop(unsigned caller);
  [[nodiscard]] std::string violation(const LoadedCall& call) const;
  [[nodiscard]] std::size_t count_since(std::chrono::steady_clock::time_point since, bool failures_too) const;

  const MakeCall call_;
  const Journal& journal_;
  const LoadSettings settings_;
  MachineNoise noise_;
  mutable std::mutex mutex_;
  std::vector<LoadedCall> calls_; // guarded by mutex_
  std::atomic<bool> over_ = false;
  std::vector<std::thread> callers_;
};

/// A thread that submits tasks, and what must hold of those whose submission was acknowledged.
class Submissions {
public:
  Submissions(Client& client, std::string function, const Journal& journal, LoadSettings settings = {});
  Submissions(const Submissions&) = delete;
  Submissions& operator=(const Submissions&) = delete;
  ~Submissions() { stop(); }

  [[nodiscard]] std::size_t acknowledged() const;
  void stop();
  /// Waits for the end of each task and tells what must not be, a line each: one that is not known, that has no end,
  /// another result, or ran twice. What ended without success says why. After `stop`.
  std::string violations();
  [[nodiscard]] const std::string& summary() const noexcept { return summary_; }

private:
  struct Submitted {
    std::string task;
    std::string id;
  };
  void submit_loop();
  std::string violation(const Submitted& task);

  Client& client_;
  const std::string function_;
  const Journal& journal_;
  const LoadSettings settings_;
  mutable std::mutex mutex_;
  std::vector<Submitted> submitted_; // guarded by mutex_
  std::map<std::string, unsigned> ends_;
  std::string summary_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

/// Direct calls, relayed calls and submitted tasks of one function, all at once.
class MixedLoad {
public:
  MixedLoad(Client& client, const std::string& function, const Journal& journal, LoadSettings settings = {});

  /// Whether calls of both kinds that begin from now on succeed, before a minute is over.
  [[nodiscard]] bool serves() const { return direct_.serves() && relayed_.serves(); }
  /// Stops it, and tells what any of it did that it must not.
  std::string violations();

private:
  Load direct_;
  Load relayed_;
  Submissions submitted_;
};

} // namespace tcfdl::test
