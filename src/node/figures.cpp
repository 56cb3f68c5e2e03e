#include "node/figures.hpp"

#include "node/instance_state.hpp"

#include <algorithm>

namespace tcfdl::node {
namespace {

using metrics::Labels;
using metrics::Page;

std::string code_label(std::size_t code) {
  return code == 0 ? "OK" : std::string(code_name(code_from_number(static_cast<std::uint32_t>(code))));
}

constexpr const char* kDone = "tcfdl_tasks_done_total";
constexpr const char* kRefused = "tcfdl_tasks_refused_total";

/// One counter for each code that there were any of.
void add_codes(Page& page, const std::string& name, const std::string& function,
               const task_manager::CodeCounts& counts) {
  const auto* help = name == kDone ? "Tasks that ended at an instance, by function and code."
                                   : "Requests for a lease that got none, by function and code of what was answered.";
  for (std::size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] == 0) continue;
    page.counter(name, help, counts[code], {{"function", function}, {"code", code_label(code)}});
  }
}

void add_ends(Page& page, const task_manager::FunctionStats& stats) {
  const auto& function = stats.function.str();
  add_codes(page, kDone, function, stats.done);
  add_codes(page, kRefused, function, stats.unleased);
  page.counter("tcfdl_tasks_lost_total", "Tasks whose instance went after their start.", stats.lost,
               {{"function", function}});
  page.counter("tcfdl_leases_reclaimed_total", "Leases whose time ended without a report.", stats.reclaimed,
               {{"function", function}});
  page.counter("tcfdl_cold_starts_total", "Tasks that found no instance and waited for one to start.", stats.cold,
               {{"function", function}});
}

void add_traffic(Page& page, const task_manager::FunctionStats& stats) {
  for (std::size_t way = 0; way < task_manager::kWays.size(); ++way) {
    const auto& traffic = stats.traffic.at(way);
    if (traffic.bodies + traffic.results == 0) continue;
    const auto add = [&](const char* what, std::uint64_t bytes) {
      page.counter(
          "tcfdl_task_bytes_total",
          "Bytes of bodies and results before sealing, by function and way between caller and instance.", bytes,
          {{"function", stats.function.str()}, {"way", std::string(task_manager::kWays.at(way))}, {"part", what}});
    };
    add("body", traffic.bodies);
    add("result", traffic.results);
  }
}

/// Instances by function and state; a function that is known has its ready ones counted though there be none.
class StateCounts {
public:
  void know(const std::string& function) { counts_.try_emplace({function, "ready"}, 0); }
  void add(const std::string& function, wire::InstanceState state) {
    ++counts_[{function, state_name(state, "other")}];
  }
  void put_on(Page& page, const std::string& name, const std::string& help) const {
    for (const auto& [key, count] : counts_) {
      page.gauge(name, help, static_cast<double>(count), {{"function", key.first}, {"state", key.second}});
    }
  }

private:
  std::map<std::pair<std::string, std::string>, std::size_t> counts_;
};

void add_node(Page& page, const instance_manager::NodeView& node) {
  const auto& status = node.status;
  const Labels labels{{"node", status.node()}};
  page.gauge("tcfdl_node_heartbeat_age_seconds", "Time since a node's last heartbeat.",
             static_cast<double>(node.age.count()) / 1000, labels);
  page.gauge("tcfdl_node_memory_bytes", "Memory of a node's machine.", static_cast<double>(status.memory_total()),
             labels);
  page.gauge("tcfdl_node_memory_available_bytes", "Of it, what new processes can have.",
             static_cast<double>(status.memory_available()), labels);
  page.gauge("tcfdl_node_load1", "Load of a node's machine, average of a minute.", status.load(), labels);
  page.gauge("tcfdl_node_drained", "1 for a node that is to have no instances.", node.drained ? 1 : 0, labels);
}

} // namespace

void add_tasks(Page& page, const task_manager::TaskManager& tasks) {
  const auto all = tasks.stats();
  for (const auto& stats : all) {
    const Labels labels{{"function", stats.function.str()}};
    page.gauge("tcfdl_tasks_waiting", "Tasks in the function's queue.", static_cast<double>(stats.waiting), labels);
    page.gauge("tcfdl_tasks_in_flight", "Leases that are out.", static_cast<double>(stats.in_flight), labels);
    page.gauge("tcfdl_tasks_running", "Of them, those whose handler began.", static_cast<double>(stats.started),
               labels);
    page.durations("tcfdl_task_wait_seconds", "From a request for a lease to the lease.", stats.waits, labels);
    page.durations("tcfdl_task_run_seconds", "Run time of handlers.", stats.runs, labels);
    add_ends(page, stats);
    add_traffic(page, stats);
  }
  add_codes(page, kRefused, {}, tasks.unleased_elsewhere());
}

void add_cluster(Page& page, const instance_manager::ClusterView& view,
                 const std::map<FunctionName, ScalingView>& scaling) {
  StateCounts counts;
  for (const auto& function : view.functions) {
    const auto& name = function.function.str();
    counts.know(name);
    for (const auto& [node, status] : function.instances) counts.add(name, status.state());
    page.gauge("tcfdl_function_problem", "1 where the function does not reach its scale for a reason that is known.",
               function.problem.empty() ? 0 : 1, {{"function", name}});
  }
  counts.put_on(page, "tcfdl_instances", "Instances of the cluster, by function and state.");
  for (const auto& [name, decision] : scaling) {
    page.gauge("tcfdl_instances_wanted", "Instances that scaling asks for.", static_cast<double>(decision.wanted),
               {{"function", name.str()}});
  }
  for (const auto& node : view.nodes) add_node(page, node);
}

void add_host(Page& page, const Host& host, ProxyProcess& proxy) {
  StateCounts counts;
  for (const auto& instance : host.instances()) {
    counts.add(instance.function(), instance.state());
    const Labels labels{{"function", instance.function()}, {"instance", instance.instance()}};
    page.gauge("tcfdl_instance_memory_bytes", "Memory of an instance's processes and their files, as its group counts.",
               static_cast<double>(instance.memory()), labels);
    page.gauge("tcfdl_instance_processes", "Processes and threads of an instance.", instance.processes(), labels);
    page.counter("tcfdl_instance_cpu_seconds_total", "Processor time of an instance's run.",
                 static_cast<double>(instance.cpu_us()) / 1e6, labels);
  }
  counts.put_on(page, "tcfdl_node_instances", "Instances of this node, by function and state.");
  const auto figures = proxy.figures(Deadline::after(std::chrono::seconds(1)));
  if (!figures) return;
  const auto capsules = [&](const char* step, std::uint64_t count) {
    page.counter("tcfdl_reencryptions_total", "Capsules that this node's TEE proxy re-encrypted since its start.",
                 count, {{"step", step}});
  };
  capsules("to_function", figures->turned());
  capsules("to_instance", figures->finished());
  page.counter("tcfdl_reencryptions_refused_total", "Capsules that it did not re-encrypt.", figures->refused());
  const auto records = [&](const char* step, std::uint64_t count) {
    page.counter("tcfdl_hop_records_total", "Records of ended paths under hop-by-hop protection.", count,
                 {{"step", step}});
  };
  records("opened", figures->hop_opened());
  records("sealed", figures->hop_sealed());
}

std::string method_label(const std::string& method) {
  static constexpr std::array kKnown{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::ranges::find(kKnown, method) == kKnown.end() ? "other" : method;
}

} // namespace tcfdl::node
