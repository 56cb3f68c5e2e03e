#include "tee/sandbox.hpp"

#include "tee/landlock.hpp"
#include "tee/launch.hpp"
#include "tee/seccomp.hpp"

#include <algorithm>

namespace tcfdl::tee {

Sandbox Sandbox::probe(const std::string& stage) {
  Sandbox found;
  const auto missing = [&](std::string_view name, const Error& error) {
    found.missing_.push_back({std::string(name), error.message()});
  };
  wire::LaunchPlan plan;
  plan.set_probe(true);
  plan.set_scratch(1 << 20U);
  plan.set_namespaces(true);
  plan.set_user(::geteuid() == 0 ? choose_user() : 0);
  auto tried = try_plan(plan, stage);
  found.own_user_ = tried && plan.user() != 0;
  if (!tried && plan.user() != 0) { // root without the right to mount may still make user namespaces
    plan.set_user(0);
    tried = try_plan(plan, stage);
  }
  found.namespaces_ = tried.has_value();
  if (!tried) missing(kNamespaces, tried.error());
  plan.set_namespaces(false);
  plan.set_user(0);

  auto filter = make_system_call_filter();
  if (filter) {
    plan.set_filter(*filter);
    tried = try_plan(plan, stage);
  }
  if (filter && tried) {
    found.filter_ = *std::move(filter);
  } else {
    missing(kSeccomp, filter ? tried.error() : filter.error());
  }
  plan.clear_filter();

  plan.set_landlock(true);
  tried = landlock_abi() > 0
              ? try_plan(plan, stage)
              : Status(Error(Code::kFailedPrecondition, "the kernel has no Landlock (Linux 5.13 and later, "
                                                        "enabled with lsm=landlock,...)"));
  if (tried) {
    found.landlock_ = landlock_abi();
  } else {
    missing(kLandlock, tried.error());
  }

  found.groups_ = ControlGroups::find();
  for (const auto& [layer, controller] :
       {std::pair(kMemoryGroup, Controller::kMem), std::pair(kProcesses, Controller::kPids),
        std::pair(kProcessor, Controller::kCpu)}) {
    if (found.groups_.version(controller) == 0) missing(layer, found.groups_.why_not(controller));
  }
  return found;
}

std::vector<std::string> Sandbox::layers() const {
  std::vector<std::string> names;
  if (namespaces_) names.push_back(fmt::format("{}/{}", kNamespaces, own_user_ ? "own-user" : "same-user"));
  if (!filter_.empty()) names.emplace_back(kSeccomp);
  if (landlock_ > 0) names.push_back(fmt::format("{}/{}", kLandlock, landlock_));
  const auto held = [&](Controller controller) { return groups_.version(controller); };
  names.push_back(held(Controller::kMem) == 0 ? fmt::format("{}/rlimit", kMemory)
                                              : fmt::format("{}/cgroup{}", kMemory, held(Controller::kMem)));
  if (const auto version = held(Controller::kPids)) names.push_back(fmt::format("{}/cgroup{}", kProcesses, version));
  if (const auto version = held(Controller::kCpu)) names.push_back(fmt::format("{}/cgroup{}", kProcessor, version));
  return names;
}

Status Sandbox::require(const std::set<std::string>& layers) const {
  std::string lacking;
  for (const auto& layer : missing_) {
    if (layers.contains(layer.name))
      lacking += fmt::format("{}{}: {}", lacking.empty() ? "" : "; ", layer.name, layer.why);
  }
  if (lacking.empty()) return {};
  return make_error(Code::kFailedPrecondition,
                    "this machine cannot give the software TEE what its node requires: {}. Provide it, or name in the "
                    "node's configuration (or the topology) what you do not want to miss, as software_tee: {{require: "
                    "[seccomp, landlock]}}",
                    lacking);
}

} // namespace tcfdl::tee
