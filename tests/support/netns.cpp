#include "support/netns.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace tcfdl::test {
namespace {

std::string namespace_of(pid_t pid) { return fmt::format("/proc/{}/ns/net", pid); }

std::string address_of(unsigned number) { return fmt::format("10.83.0.{}", number); }

/// The name of the end of a link at `from`.
std::string link_name(unsigned to) { return fmt::format("to{}", to); }

bool succeeds(const std::vector<std::string>& command) { return run(command).exit_code == 0; }

} // namespace

std::string Network::missing() {
  if (::geteuid() != 0) return "only root makes network namespaces";
  const auto made = run({"unshare", "--net", "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"});
  return made.exit_code == 0 ? std::string() : "no network namespaces with veth links here: " + made.err;
}

Network::Network(const std::vector<std::string>& machines)
    : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  std::error_code ignored;
  const auto here = std::filesystem::read_symlink("/proc/self/ns/net", ignored);
  for (const auto& name : machines) {
    Machine machine{static_cast<unsigned>(machines_.size() + 1), nullptr};
    machine.keeper = std::make_unique<Background>(std::vector<std::string>{"unshare", "--net", "sleep", "infinity"},
                                                  Environment{}, "/dev/null");
    const auto pid = machine.keeper->pid();
    eventually([&] { return std::filesystem::read_symlink(namespace_of(pid), ignored) != here; });
    const auto number = machine.number;
    machines_.emplace(name, std::move(machine));
    (void)run(on(name, {"ip", "link", "set", "lo", "up"}));
    (void)run(on(name, {"ip", "address", "add", address_of(number) + "/32", "dev", "lo"}));
  }
}

Network::~Network() { (void)::setns(home_.get(), CLONE_NEWNET); }

bool Network::link(const std::string& one, const std::string& other) {
  const auto& left = machines_.at(one);
  const auto& right = machines_.at(other);
  return succeeds(on(one, {"ip", "link", "add", link_name(right.number), "type", "veth", "peer", "name",
                           link_name(left.number), "netns", std::to_string(right.keeper->pid())})) &&
         succeeds(on(one, {"ip", "link", "set", link_name(right.number), "up"})) &&
         succeeds(on(other, {"ip", "link", "set", link_name(left.number), "up"})) && connect(left, right) &&
         connect(right, left);
}

/// The way from one machine to another, over the link of their own.
bool Network::connect(const Machine& from, const Machine& to) const {
  return succeeds({"nsenter", "--net=" + namespace_of(from.keeper->pid()), "ip", "route", "replace",
                   address_of(to.number), "dev", link_name(to.number), "src", address_of(from.number)});
}

bool Network::set_link(const std::string& one, const std::string& other, bool up) {
  const auto& left = machines_.at(one);
  const auto& right = machines_.at(other);
  const char* state = up ? "up" : "down";
  const bool set = succeeds(on(one, {"ip", "link", "set", link_name(right.number), state}));
  // The other end stays, so that its side hears of nothing; a link that was down has lost its route.
  return set && (!up || connect(left, right));
}

bool Network::set_rate(const std::string& one, const std::string& other, const std::string& rate) {
  const auto bound = [&](const std::string& from, const std::string& to) {
    return succeeds(on(from, {"tc", "qdisc", "replace", "dev", link_name(machines_.at(to).number), "root", "tbf",
                              "rate", rate, "burst", "4kb", "latency", "400ms"}));
  };
  return bound(one, other) && bound(other, one);
}

bool Network::enter(const std::string& machine) const {
  const UniqueFd there(::open(namespace_of(machines_.at(machine).keeper->pid()).c_str(), O_RDONLY | O_CLOEXEC));
  return there.valid() && ::setns(there.get(), CLONE_NEWNET) == 0;
}

std::string Network::address(const std::string& machine) const { return address_of(machines_.at(machine).number); }

std::vector<std::string> Network::on(const std::string& machine, std::vector<std::string> command) const {
  const auto pid = machines_.at(machine).keeper->pid();
  std::vector<std::string> whole{"nsenter", "--net=" + namespace_of(pid)};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

} // namespace tcfdl::test
