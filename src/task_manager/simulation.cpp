#include "task_manager/simulation.hpp"

#include "task_manager/scheduler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace tcfdl::task_manager {
namespace {

using std::chrono::microseconds;
using WallClock = std::chrono::steady_clock;

constexpr std::uint64_t kReclaimEvery = 250'000; // microseconds

/// Microseconds since the start of the trace.
class VirtualTime final : public TimeSource {
public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(microseconds(now_us));
  }
  [[nodiscard]] std::int64_t unix_millis() const override { return static_cast<std::int64_t>(now_us / 1000); }
  std::uint64_t now_us = 0;
};

struct SimulatedNode {
  double slowness = 1;
  double round_trip_us = 0;
  double bytes_per_us = 1;
  std::uint64_t busy_us = 0;
};

enum class What : std::uint8_t { kArrival, kStart, kEnd, kDeadline, kReclaim };

struct Event {
  std::uint64_t at_us = 0;
  std::uint64_t order = 0; // among simultaneous ones
  What what{};
  std::uint32_t task = 0;
};

struct Later {
  bool operator()(const Event& a, const Event& b) const {
    return a.at_us != b.at_us ? a.at_us > b.at_us : a.order > b.order;
  }
};

/// Which function each instance runs; instance i is on node i modulo their number. The next instance goes where most
/// work comes for the speed of the nodes that are there, so that the load of all functions is about the same.
std::vector<std::size_t> functions_of_instances(const Trace& trace, const std::vector<SimulatedNode>& nodes) {
  std::vector<double> work(trace.functions.size());
  for (const auto& task : trace.tasks) work[task.function] += static_cast<double>(task.service_us);
  std::vector<double> speed(work.size());
  using Need = std::pair<double, std::size_t>;
  std::priority_queue<Need> needs;
  for (std::size_t k = 0; k < work.size(); ++k) needs.emplace(std::numeric_limits<double>::infinity(), k);
  std::vector<std::size_t> functions(std::max(nodes.size(), work.size()));
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const auto k = functions[i] = needs.top().second;
    needs.pop();
    speed[k] += 1 / nodes[i % nodes.size()].slowness;
    needs.emplace(work[k] / speed[k], k);
  }
  return functions;
}

std::uint64_t percentile(std::vector<std::uint64_t>& values, double part) {
  if (values.empty()) return 0;
  const auto index = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(index));
  return values[index];
}

class Simulation {
public:
  Simulation(const Trace& trace, const SimulationSettings& settings)
      : trace_(trace), given_(settings), settings_(manager_settings(settings)), scheduler_(settings_, time_),
        running_(trace.tasks.size()) {}

  SimulationReport run() {
    make_nodes();
    make_instances();
    add(trace_.tasks.front().at_us, What::kArrival, 0);
    add(trace_.tasks.front().at_us + kReclaimEvery, What::kReclaim, 0);
    while (!events_.empty()) {
      const auto event = events_.top();
      events_.pop();
      time_.now_us = event.at_us;
      handle(event);
      while (!settled_.empty()) {
        const auto task = settled_.back();
        settled_.pop_back();
        follow(task);
      }
    }
    return report();
  }

private:
  class SimulatedTicket final : public Ticket {
  public:
    SimulatedTicket(Simulation& simulation, std::uint32_t task, const wire::LeaseRequest& request)
        : Ticket(request, simulation.time_.steady()), simulation_(simulation), task_(task) {}

  private:
    void wake() override { simulation_.settled_.push_back(task_); }
    Simulation& simulation_;
    const std::uint32_t task_;
  };

  struct Running {
    wire::LeaseRequest request;
    std::unique_ptr<SimulatedTicket> ticket;
    std::string lease_id;
    std::size_t node = 0;
    std::uint64_t run_us = 0;
    bool on_time = true;
  };

  static TaskManagerSettings manager_settings(const SimulationSettings& given) {
    TaskManagerSettings settings;
    settings.cluster = ClusterId("simulated");
    settings.placement = given.placement;
    settings.seed = given.seed;
    return settings;
  }

  void make_nodes() {
    Draws draws(given_.seed);
    nodes_.resize(given_.nodes);
    double speeds = 0;
    for (auto& node : nodes_) {
      constexpr double kSigma = 0.5;
      node.slowness = std::clamp(std::exp(kSigma * draws.normal() + kSigma * kSigma / 2), 0.3, 4.0);
      speeds += 1 / node.slowness;
      node.round_trip_us = 200 + draws.exponential(2000);
      node.bytes_per_us = 5 * std::pow(25, draws.unit());
    }
    // Together they are as fast as so many nodes of speed 1.
    for (auto& node : nodes_) node.slowness *= speeds / static_cast<double>(nodes_.size());
  }

  void make_instances() {
    for (const auto& name : trace_.functions) {
      FunctionPolicy policy;
      policy.name = name;
      policy.version = 1;
      policy.concurrency = given_.concurrency;
      scheduler_.set_function(std::move(policy));
    }
    const auto functions = functions_of_instances(trace_, nodes_);
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const auto node = i % nodes_.size();
      InstanceInfo info;
      info.id = InstanceId(fmt::format("i-{}", i));
      info.function = trace_.functions[functions[i]];
      info.node = NodeId(fmt::format("n-{}", node));
      info.version = 1;
      node_of_[info.id] = node;
      scheduler_.set_instance(std::move(info));
    }
    slots_ = functions.size() * given_.concurrency;
  }

  void add(std::uint64_t at_us, What what, std::uint32_t task) { events_.push({at_us, ++orders_, what, task}); }

  void handle(const Event& event) {
    switch (event.what) {
    case What::kArrival: return arrive(event.task);
    case What::kStart: return tell(event.task, true);
    case What::kEnd: return end(event.task);
    case What::kDeadline: return give_up(event.task);
    case What::kReclaim:
      scheduler_.reclaim();
      if (unfinished() > 0) add(event.at_us + kReclaimEvery, What::kReclaim, 0);
    }
  }

  [[nodiscard]] std::size_t unfinished() const {
    return trace_.tasks.size() - report_.completed - report_.refused - report_.late;
  }

  void arrive(std::uint32_t index) {
    if (index + 1 < trace_.tasks.size()) add(trace_.tasks[index + 1].at_us, What::kArrival, index + 1);
    const auto& task = trace_.tasks[index];
    auto& running = *(running_[index] = std::make_unique<Running>());
    running.request.set_task_id(fmt::format("task-{}", index));
    running.request.set_function(trace_.functions[task.function].str());
    running.request.set_caller(trace_.callers[task.caller]);
    running.request.set_body_size(task.body);
    running.request.set_remaining_ms(task.timeout_ms);
    running.request.set_priority(task.priority);
    running.ticket = std::make_unique<SimulatedTicket>(*this, index, running.request);
    const auto before = WallClock::now();
    const bool placed = scheduler_.attempt(*running.ticket) == Standing::kSettled;
    auto queued = placed ? Status() : scheduler_.enqueue(*running.ticket);
    spent_ += WallClock::now() - before;
    if (!queued) {
      running.ticket->settle(std::move(queued).error());
    } else if (!placed) {
      add(deadline_of(index), What::kDeadline, index);
    }
  }

  [[nodiscard]] std::uint64_t deadline_of(std::uint32_t index) const {
    const auto& task = trace_.tasks[index];
    return task.at_us + std::uint64_t{task.timeout_ms} * 1000;
  }

  void give_up(std::uint32_t index) {
    const auto& running = running_[index];
    if (running && !running->ticket->settled())
      scheduler_.abandon(*running->ticket, scheduler_.overdue(*running->ticket));
  }

  /// What becomes of a task once its ticket is settled.
  void follow(std::uint32_t index) {
    auto& running = *running_[index];
    auto outcome = running.ticket->take();
    if (!outcome) {
      ++(outcome.error().code() == Code::kResourceExhausted ? report_.refused : report_.late);
      running_[index].reset();
      return;
    }
    const auto& task = trace_.tasks[index];
    running.lease_id = outcome->lease.lease_id();
    running.node = node_of_.at(outcome->instance->id);
    const auto& node = nodes_[running.node];
    waits_.push_back(time_.now_us - task.at_us);
    const auto transfer = node.round_trip_us + static_cast<double>(task.body) / node.bytes_per_us;
    const auto start = time_.now_us + static_cast<std::uint64_t>(transfer);
    const auto run = static_cast<std::uint64_t>(static_cast<double>(task.service_us) * node.slowness);
    const auto accept_by = time_.now_us + static_cast<std::uint64_t>(microseconds(settings_.accept_within).count());
    const auto last = std::max(time_.now_us, deadline_of(index));
    const bool begins = start < std::min(last, accept_by);
    running.on_time = begins && start + run <= last;
    running.run_us = running.on_time ? run : begins ? last - start : 0;
    if (begins) add(start, What::kStart, index);
    add(begins ? start + running.run_us : std::min(last, accept_by), What::kEnd, index);
  }

  void tell(std::uint32_t index, bool begins) {
    const auto& running = *running_[index];
    wire::TaskEvent event;
    event.set_lease_id(running.lease_id);
    event.set_started(begins);
    event.set_done(!begins);
    event.set_run_us(running.run_us);
    if (!running.on_time) event.set_code(static_cast<std::uint32_t>(Code::kDeadlineExceeded));
    const auto before = WallClock::now();
    scheduler_.handle_event(event);
    spent_ += WallClock::now() - before;
  }

  void end(std::uint32_t index) {
    tell(index, false);
    auto& running = *running_[index];
    nodes_[running.node].busy_us += running.run_us;
    last_end_ = time_.now_us;
    ++(running.on_time ? report_.completed : report_.late);
    if (running.on_time) done_.push_back(time_.now_us - trace_.tasks[index].at_us);
    running_[index].reset();
  }

  SimulationReport report() {
    report_.tasks = trace_.tasks.size();
    report_.decisions = waits_.size();
    const auto seconds = std::chrono::duration<double>(spent_).count();
    report_.decisions_per_second = seconds > 0 ? static_cast<double>(waits_.size()) / seconds : 0;
    report_.wait_p50_us = percentile(waits_, 0.5);
    report_.wait_p99_us = percentile(waits_, 0.99);
    report_.done_p50_us = percentile(done_, 0.5);
    report_.done_p99_us = percentile(done_, 0.99);
    double sum = 0;
    double squares = 0;
    for (const auto& node : nodes_) {
      const auto busy = static_cast<double>(node.busy_us);
      sum += busy;
      squares += busy * busy;
    }
    const auto count = static_cast<double>(nodes_.size());
    const auto mean = sum / count;
    const auto time = static_cast<double>(last_end_ - std::min(last_end_, trace_.tasks.front().at_us));
    report_.utilisation = time > 0 ? sum / (time * static_cast<double>(slots_)) : 0;
    report_.imbalance = mean > 0 ? std::sqrt(std::max(0.0, squares / count - mean * mean)) / mean : 0;
    return report_;
  }

  const Trace& trace_;
  const SimulationSettings given_;
  const TaskManagerSettings settings_;
  VirtualTime time_;
  Scheduler scheduler_;
  std::vector<SimulatedNode> nodes_;
  std::unordered_map<InstanceId, std::size_t> node_of_;
  std::size_t slots_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t orders_ = 0;
  std::vector<std::unique_ptr<Running>> running_; // by task; null before its arrival and after its end
  std::vector<std::uint32_t> settled_;
  std::vector<std::uint64_t> waits_;
  std::vector<std::uint64_t> done_;
  WallClock::duration spent_{};
  std::uint64_t last_end_ = 0;
  SimulationReport report_;
};

} // namespace

Result<SimulationReport> simulate(const Trace& trace, const SimulationSettings& settings) {
  if (trace.tasks.empty()) return Error(Code::kInvalidArgument, "the trace has no tasks");
  if (settings.nodes == 0 || settings.concurrency == 0) {
    return Error(Code::kInvalidArgument, "at least one node and a concurrency of one are wanted");
  }
  return Simulation(trace, settings).run();
}

} // namespace tcfdl::task_manager
