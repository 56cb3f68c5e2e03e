// Functions and instances as the task manager knows them, its settings and its figures.
#pragma once

#include "base/durations.hpp"
#include "wire/messages.hpp"
#include "wire/tracing.hpp"

#include <array>
#include <chrono>
#include <map>
#include <vector>

namespace tcfdl::task_manager {

/// What a caller has of the queues where more tasks come than run. Who is not named has what is here.
struct CallerShare {
  unsigned weight = 1; ///< tasks that are served in the time of one of a caller of weight 1; 0 counts as 1
  wire::Priority highest = wire::PRIORITY_NORMAL; ///< that it may ask for

  friend bool operator==(const CallerShare&, const CallerShare&) = default;
};

/// By name of client, instance or gateway; `cluster:NAME` for all callers of another cluster together.
using CallerShares = std::map<std::string, CallerShare, std::less<>>;

/// How an instance is chosen among those that are free. All but the first serve comparisons.
enum class PlacementKind : std::uint8_t { kPredicted, kRandom, kRoundRobin, kLeastLoaded };

struct TaskManagerSettings {
  ClusterId cluster{};                               ///< our own
  std::chrono::milliseconds accept_within{5000};     ///< a task starts at its instance so soon after its lease
  std::chrono::milliseconds longest_silence{40'000}; ///< for which an instance is avoided that takes no tasks
  std::chrono::milliseconds report_within{3000};     ///< a heartbeat that is read so late may not know of a start
  std::chrono::milliseconds grace{2000};             ///< after a task's deadline, for its last event to arrive
  std::chrono::milliseconds reclaim_every{250};      ///< period of the timer thread
  std::chrono::seconds retention{600};               ///< how long a task's id is remembered
  std::size_t max_remembered = 65536;                ///< task ids; the oldest is forgotten first
  unsigned burst_tasks = 64;                         ///< of one burst lease at most; 0: there are none
  std::chrono::milliseconds burst_time{50};          ///< from its first task on, in which the others begin
  CallerShares callers{};
  PlacementKind placement = PlacementKind::kPredicted;
  std::uint64_t seed = 1;          ///< of the draws among many free instances
  wire::SpanSink* spans = nullptr; ///< where spans of waits go; nullptr: nowhere
};

constexpr std::size_t kDefaultQueueLimit = 1024;

/// How a function's tasks are scheduled, from its descriptor.
struct FunctionPolicy {
  FunctionName name;
  std::uint64_t version = 0;
  unsigned concurrency = 1;                     ///< tasks an instance runs at once; 0 counts as 1
  std::size_t queue_limit = kDefaultQueueLimit; ///< waiting tasks of all callers; 0 counts as the default
  bool idempotent = false;
  bool bursts = true; ///< a lease may be for several tasks
  wire::Signed descriptor;
  std::string assurance; ///< the class of our nodes, told to callers
};

/// An instance that takes tasks.
struct InstanceInfo {
  InstanceId id;
  FunctionName function;
  NodeId node;
  std::string tee_kind;
  std::vector<wire::Route> routes;     ///< for callers on its node, best first
  std::vector<wire::Route> far_routes; ///< for all others
  std::uint64_t version = 0;
};

constexpr std::size_t kCodes = 17; ///< gRPC's: 0 for success, then `Code`
using CodeCounts = std::array<std::uint64_t, kCodes>;

/// Ways from a caller to an instance, as callers name them; the last stands for all that they may say besides.
constexpr std::array<std::string_view, 7> kWays{"local", "tcp", "tls", "relay", "proxies", "courier", "other"};

/// Bytes of bodies and results, before sealing.
struct Traffic {
  std::uint64_t bodies = 0;
  std::uint64_t results = 0;
};

struct FunctionStats {
  FunctionName function;
  std::size_t instances = 0;
  std::size_t waiting = 0;
  std::size_t in_flight = 0;   ///< leases
  std::size_t bursts = 0;      ///< of them, for several tasks
  std::size_t started = 0;     ///< of them, with a handler that began
  CodeCounts done{};           ///< by code
  std::uint64_t refused = 0;   ///< the queue was full, or became so for one that was over its share
  std::uint64_t reclaimed = 0; ///< leases that ended by time
  std::uint64_t lost = 0;      ///< tasks whose instance went after their start
  CodeCounts unleased{};       ///< requests that got no lease, by code of what they were told
  std::uint64_t cold = 0;      ///< tasks that found no instance and waited for one
  Durations waits;             ///< of tasks, until their lease
  Durations runs;              ///< of handlers
  std::array<Traffic, kWays.size()> traffic{};
  double service_us = 0; ///< moving average of successful tasks' run time; 0: none yet
  double median_us = 0;  ///< of the last of them; 0: none yet

  /// Tasks that ended, whatever became of them.
  [[nodiscard]] std::uint64_t ended() const {
    auto sum = reclaimed + lost;
    for (const auto each : done) sum += each;
    return sum;
  }
};

} // namespace tcfdl::task_manager
