#include "chaos/chaos.hpp"

#include <algorithm>
#include <cstdlib>

namespace tcfdl::test {

unsigned chaos_rounds() {
  const char* rounds = std::getenv("TCFDL_CHAOS_ROUNDS");
  return rounds == nullptr ? 1U : static_cast<unsigned>(std::clamp(std::atoi(rounds), 1, 10'000));
}

std::string part_name(Part part) {
  switch (part) {
  case Part::kInstance: return "Instance";
  case Part::kProxy: return "Proxy";
  case Part::kWorker: return "Worker";
  case Part::kBroker: return "Broker";
  case Part::kMaster: return "Master";
  case Part::kServiceManager: return "ServiceManager";
  case Part::kGateway: break;
  }
  return "Gateway";
}

std::string Chaos::default_topology() { return "clusters:\n  - {name: local, workers: [worker-1, worker-2]}\n"; }

void Chaos::SetUp() {
  ASSERT_EQ(platform_.up(), "");
  deploy_functions();
}

void Chaos::deploy_functions() {
  deploy("once", "concurrency: 4\nscale: {min: 2, max: 2}\n");
  deploy("again", "idempotent: true\nconcurrency: 4\nscale: {min: 2, max: 2}\n");
  auto client = Client::connect("local");
  ASSERT_TRUE(client) << client.error().to_string();
  client_ = *std::move(client);
}

void Chaos::deploy(const std::string& name, const std::string& more) {
  const auto deployed = platform_.deploy(name, "chaos_function", more, {name});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
}

std::vector<pid_t> Chaos::instances(const std::string& function) const {
  auto command = std::string("bin/chaos_function");
  if (!function.empty()) command += '\0' + function; // as in /proc
  auto pids = platform_.instances(command);
  std::ranges::sort(pids);
  return pids;
}

pid_t Chaos::process_of(Part part) const {
  const auto first = [](const std::vector<pid_t>& pids) { return pids.empty() ? 0 : pids.front(); };
  const auto daemon = [this](const std::string& name) {
    const auto ready = platform_.ready(name);
    return ready.is_object() ? ready.value("pid", 0) : 0;
  };
  const auto node = [this](const std::string& name) { return (platform_.state() / "nodes" / name).string(); };
  switch (part) {
  case Part::kInstance: return first(instances("once"));
  case Part::kProxy: return first(platform_.pids("tcfdl-proxy", node("worker-1")));
  case Part::kWorker: return daemon("worker-1");
  case Part::kBroker: return first(platform_.pids("nats-server", node("local-master")));
  case Part::kMaster: return daemon("local-master");
  case Part::kServiceManager: return daemon("service-manager");
  case Part::kGateway: break;
  }
  return first(platform_.instances("tcfdl-gateway"));
}

pid_t Chaos::signal(Part part, int number) {
  const auto pid = process_of(part);
  EXPECT_GT(pid, 0) << part_name(part);
  if (pid > 0) ::kill(pid, number);
  return pid;
}

bool Chaos::is_replaced(Part part, pid_t before) const {
  if (is_alive(before)) return false;
  const auto now = process_of(part);
  return now != 0 && now != before;
}

Json Chaos::durable_state() {
  Json state;
  for (const auto& listed : platform_.json({"function", "list"}).value("functions", Json::array())) {
    const auto name = listed.value("name", "");
    const auto shown = platform_.json({"function", "show", name});
    for (const auto* key : {"version", "owner", "instances_min", "instances_max", "instances_wanted"}) {
      state["functions"][name][key] = shown.value(key, Json());
    }
  }
  for (const auto& node : platform_.json({"status"}).value("nodes", Json::array())) {
    state["drained"][node.value("name", "")] = node.value("state", "") == "drained";
  }
  state["clients"] = platform_.json({"grant", "list"});
  state["access"] = platform_.json({"access", "list"});
  for (const auto& task : platform_.json({"task", "list"})) {
    state["tasks"][task.value("task_id", "")] = task.value("state", "");
  }
  return state;
}

std::vector<Json> Chaos::audit() {
  auto records = platform_.json({"audit"}).value("records", Json::array()).get<std::vector<Json>>();
  std::ranges::reverse(records);
  return records;
}

} // namespace tcfdl::test
