// The instances of the cluster, as its master wants and sees them.
#pragma once

#include "instance_manager/event_queue.hpp"
#include "instance_manager/plan.hpp"
#include "instance_manager/ports.hpp"
#include "instance_manager/room.hpp"

#include <map>
#include <optional>
#include <set>

namespace tcfdl::instance_manager {

struct ClusterInstancesSettings {
  std::chrono::milliseconds node_lost_after{3000};   ///< without a heartbeat that was due
  std::chrono::milliseconds first_reports{5000};     ///< for nodes that are there when the master starts
  std::chrono::milliseconds replace_after{3000};     ///< an instance that failed and is not ready again
  std::chrono::milliseconds reported_within{10'000}; ///< after an order to start
  std::chrono::milliseconds avoid_node_for{2000};    ///< after it refused an order
  std::chrono::milliseconds command_timeout{5000};
  std::chrono::milliseconds drain{10'000};               ///< an instance's, after the order to stop
  std::chrono::milliseconds tasks_end_within{3'600'000}; ///< the order waits so long for tasks of what is too many
  std::chrono::milliseconds reconcile_every{500};
  std::chrono::milliseconds probe_within{2000};   ///< a node answers
  std::chrono::milliseconds ask_lost_every{2000}; ///< nodes that were lost, whether they are back
  std::chrono::milliseconds ask_lost_for{600'000};
  std::chrono::milliseconds load_counts_for{15'000}; ///< as a node has told it
  std::chrono::milliseconds loaded_for{30'000};      ///< a node, before an instance leaves it
  std::chrono::milliseconds move_within{120'000};    ///< else it stays
  std::chrono::milliseconds move_pause{60'000};      ///< until another one moves
  std::chrono::milliseconds stays_for{600'000};      ///< a function, once an instance of it was moved
};

/// When a run of an instance has failed, which its node decides, and when a trial is over.
struct Health {
  std::chrono::milliseconds ready_within{30'000};
  std::chrono::milliseconds answer_within{10'000};
  std::chrono::milliseconds overdue{30'000}; ///< that a task may run past its deadline
  std::chrono::milliseconds trial{5'000};    ///< that a tried version's instances stay ready
  std::size_t failures = 3;                  ///< that end a trial
};

/// A function as it should run. The scale is the number of instances.
struct WantedFunction {
  wire::Signed descriptor;
  std::string manifest;
  std::size_t scale = 1;
  std::size_t keep = 0; ///< so many that are there stay, though the scale be less
  std::size_t warm = 0; ///< so many more are ready and get no tasks until the scale grows
  Needs needs = {};     ///< of an instance; `memory` is its limit, too
  Health health = {};
};

struct NodeView {
  wire::NodeStatus status;
  std::chrono::milliseconds age{0}; ///< of its last heartbeat
  bool overdue = false;             ///< the next one should have come
  bool drained = false;             ///< it is to have no instances
};

struct TrialView {
  std::uint64_t version = 0;
  std::size_t ready = 0;
  std::size_t wanted = 0;
  std::size_t failures = 0; ///< of runs, so far
};

struct FunctionView {
  FunctionName function;
  std::uint64_t version = 0;
  std::size_t scale = 0;
  std::size_t ready = 0; ///< of this version, to take tasks
  std::size_t warm_wanted = 0;
  std::set<std::string> warm; ///< instances that are ready beside those
  std::string problem;        ///< why it does not reach its scale or could not; empty if nothing is known
  std::vector<std::pair<NodeId, wire::InstanceStatus>> instances;
  std::optional<TrialView> trial;
};

struct ClusterView {
  std::vector<NodeView> nodes;
  std::vector<FunctionView> functions;
};

/// What runs is what nodes report, so a restarted master adopts what it finds. Set all functions before `start`:
/// instances of functions that are not wanted are stopped. Tell of all nodes before `start`: nothing starts before they
/// reported, or had the time for it. Every method may be called from any thread and returns at
/// once; events go through one queue to one thread, commands run on the executor.
class ClusterInstances {
public:
  ClusterInstances(ClusterInstancesSettings settings, NodeCommands& nodes, InstanceEvents& events, Executor& executor,
                   EventQueue::Now now = std::chrono::steady_clock::now);
  ClusterInstances(const ClusterInstances&) = delete;
  ClusterInstances& operator=(const ClusterInstances&) = delete;
  ~ClusterInstances() { stop(); }

  void start() { queue_.start(); }
  /// Ends the thread; instances run on. Idempotent.
  void stop() noexcept { queue_.stop(); }
  /// In place of `start`'s thread: handles what is due.
  void run_due() { queue_.run_due(); }

  void expect_nodes(const std::vector<std::string>& nodes);

  /// Adds a function or another version of it. INVALID_ARGUMENT for a bad descriptor. The caller verified it.
  Status set_function(const WantedFunction& wanted);
  /// Tries a newer version beside the function's own: as many instances of it, at least one, take tasks, too. The trial
  /// is passed once they have stayed ready for `health.trial`; it fails with `health.failures` failed runs, or when
  /// they are not ready for `health.ready_within`, and then they stop. `set_function` with that version puts it in
  /// force. In place of a trial before. NOT_FOUND for an unknown function.
  Status begin_trial(const WantedFunction& wanted);
  /// Nothing where another version is on trial, or none.
  void end_trial(const FunctionName& function, std::uint64_t version);
  /// NOT_FOUND for an unknown function.
  Status set_warm(const FunctionName& function, std::size_t warm);
  /// NOT_FOUND for an unknown function.
  Status set_scale(const FunctionName& function, std::size_t scale, std::size_t keep = 0);
  /// Its instances stop. In all cases an instance that stops gets no new tasks first, then ends those it has.
  void remove_function(const FunctionName& function);

  /// The nodes that are to have no instances, in place of those named before. What they have goes once it is replaced
  /// elsewhere; where nothing else has room it stays.
  void set_drained(std::set<NodeId> nodes);

  /// Something that was sent to the node did not get there: one whose next heartbeat is far is asked whether it is
  /// there still.
  void suspect_node(const NodeId& node);

  /// A heartbeat; its sender is known to be the node that it names.
  void on_node_status(const wire::NodeStatus& status);

  /// Counts the node and its instances as gone, until it reports again.
  void remove_node(const NodeId& node, const std::string& reason);

  [[nodiscard]] ClusterView view() const;

private:
  using TimePoint = EventQueue::TimePoint;
  using Handler = std::function<void()>;

  /// A version of a function.
  struct Version {
    WantedFunction what;
    wire::Descriptor descriptor;
  };
  struct Trial : Version {
    Trial();
    TimePoint not_ready_since;
    std::optional<TimePoint> ready_since;         // as many as needed
    std::map<InstanceId, std::uint32_t> failures; // runs in a row
    std::string last_failure;
    std::size_t ready = 0;
    std::size_t needed = 1;
    bool decided = false;
    [[nodiscard]] std::size_t failed_runs() const;
  };
  struct Wanted : Version {
    std::optional<Trial> trial;
    std::string problem;
    bool fits_nowhere = false; // what `problem` is about
    std::string told;          // of the problem, to others
    TimePoint stays_until{};   // no instance is moved before
  };
  struct Node {
    wire::NodeStatus status;
    TimePoint seen;
    TimePoint avoid_until;
    bool probed = false; // an answer is awaited
    TimePoint measured_at{};
    TimePoint measure_asked_at{};
    std::optional<TimePoint> loaded_since;
  };
  /// An instance that a node reports.
  struct Known {
    NodeId node;
    wire::InstanceStatus status;
    TimePoint not_ready_since;
    bool announced = false;
    bool drain_told = false;
    bool found = false;                  // it was started before this master was
    std::optional<TimePoint> stop_since; // set once it is to stop
    TimePoint stop_again{};              // when to look at it next, then
    double cores = 0;                    // of processors, that it uses
    TimePoint measured_at{};
  };
  /// An instance that is to leave a loaded node.
  struct Move {
    InstanceId instance;
    FunctionName function;
    NodeId from;
    TimePoint until; // it is given up
  };
  /// An instance that a node was told to start and does not report yet.
  struct Ordered {
    FunctionName function;
    std::uint64_t version = 0;
    NodeId node;
    TimePoint since;
  };

  void post(Handler handler);
  void handle_tick();
  void forgive_own_pause();
  // Under mutex_, on the event thread. What they tell others waits in outbox_ until the lock is released.
  void handle_status(const wire::NodeStatus& status);
  void update(const NodeId& node, const wire::InstanceStatus& status);
  void announce(const InstanceId& id, Known& known, const wire::InstanceStatus& before);
  void drop_node(const NodeId& node, const std::string& why);
  [[nodiscard]] std::chrono::milliseconds patience_with(const Node& node) const;
  [[nodiscard]] bool is_overdue(const Node& node) const;
  void lose_silent_nodes();
  void ask_lost_nodes();
  void handle_probed(const NodeId& node, const Status& answer);
  void confirm(const wire::NodeStatus& report);
  void drop_instance(const InstanceId& id, const std::string& reason);
  void take_up(const InstanceId& id, Known& known);
  void take_up_missing(const FunctionName& name, const Wanted& wanted);
  [[nodiscard]] bool is_warm(const Known& known) const;
  [[nodiscard]] std::size_t working(const FunctionName& name, std::uint64_t version) const;
  void withdraw(const InstanceId& id, Known& known, const std::string& reason);
  void note_problem(const wire::InstanceStatus& status);
  void reconcile();
  void reconcile(const FunctionName& name, Wanted& wanted);
  void reconcile_trial(const FunctionName& name, Wanted& wanted, std::vector<InstanceView> newer);
  void judge_trial(const FunctionName& name, Wanted& wanted, std::size_t unplaced);
  [[nodiscard]] std::optional<std::string> trial_failure(const Trial& trial) const;
  void note_trial(const InstanceId& id, const wire::InstanceStatus& status);
  void stop_unwanted();
  void measure(Known& known, const wire::InstanceStatus& before);
  void relieve();
  void ask_loads();
  [[nodiscard]] bool is_fresh(const Node& node) const;
  void begin_move(const NodeId& from);
  [[nodiscard]] bool has_better_place(const Version& wanted, const NodeId& from) const;
  [[nodiscard]] bool leaves(const InstanceId& instance, const NodeId& node) const;
  void judge(const FunctionName& name, Wanted& wanted, const Plan& plan, std::size_t ready);
  void tell_problem(const FunctionName& name, Wanted& wanted);
  [[nodiscard]] std::vector<InstanceView> views_of(const FunctionName& name) const;
  [[nodiscard]] std::map<NodeId, NodeRoom> measure_rooms() const;
  [[nodiscard]] std::vector<NodeChoice> choices_for(const Version& wanted) const;
  [[nodiscard]] std::string why_nowhere(const Version& wanted) const;
  void order_start(const FunctionName& name, const Version& wanted, const NodeId& node);
  [[nodiscard]] std::optional<InstanceId> free_slot(const FunctionName& name, std::uint64_t version,
                                                    const NodeId& node) const;
  void order_stop(const InstanceId& id, Known& known);
  [[nodiscard]] bool ends_tasks(const InstanceId& id, const Known& known) const;
  void handle_refused(const InstanceId& id, const NodeId& node, const Error& error);

  // Constant after construction.
  const ClusterInstancesSettings settings_;
  NodeCommands& commands_;
  InstanceEvents& events_;
  Executor& executor_;

  mutable std::mutex mutex_;
  std::map<FunctionName, Wanted> functions_; // guarded by mutex_, as are those below
  std::map<NodeId, Node> nodes_;
  std::map<InstanceId, Known> known_;
  std::map<InstanceId, Ordered> ordered_;
  std::map<NodeId, TimePoint> lost_; // nodes that fell silent, since when
  TimePoint ask_lost_at_{};
  std::set<std::string> expected_; // nodes that did not report yet
  TimePoint expected_until_;
  TimePoint ticked_;
  std::set<NodeId> drained_;
  std::optional<Move> move_;
  TimePoint no_move_before_{};
  std::map<NodeId, NodeRoom> rooms_; // as of the present reconciliation
  std::vector<Handler> outbox_;
  EventQueue queue_;
};

} // namespace tcfdl::instance_manager
