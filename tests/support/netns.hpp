// Machines on this one: network namespaces that reach each other over links which a test makes and cuts.
#pragma once

#include "base/fd.hpp"
#include "support/process.hpp"

#include <memory>

namespace tcfdl::test {

/// Each machine has an address of its own, 10.83.0.N, and loopback; nothing else is reached from it but the machines to
/// which it was linked. They share files, users and process ids. All ends with this object, or with the test's process.
class Network {
public:
  /// Why this machine can have no such network, as for other users than root; empty where it can.
  static std::string missing();

  explicit Network(const std::vector<std::string>& machines);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  /// Joins two machines; whether that worked.
  bool link(const std::string& one, const std::string& other);
  /// Takes the link down, so that what is sent is dropped without a word, or up again.
  bool set_link(const std::string& one, const std::string& other, bool up);

  /// Bounds what passes a link in each direction, as `256kbit`; `tc-tbf(8)`.
  bool set_rate(const std::string& one, const std::string& other, const std::string& rate);

  /// What this thread, and those that it starts, do from now on they do on that machine, until this object ends.
  bool enter(const std::string& machine) const;

  [[nodiscard]] std::string address(const std::string& machine) const;
  /// The command line that runs a program on a machine.
  [[nodiscard]] std::vector<std::string> on(const std::string& machine, std::vector<std::string> command) const;

private:
  struct Machine {
    unsigned number;
    std::unique_ptr<Background> keeper; ///< a process in the namespace, which lives as long as one is
  };
  bool connect(const Machine& from, const Machine& to) const;

  const UniqueFd home_; ///< the network namespace in which it was made
  std::map<std::string, Machine> machines_;
};

} // namespace tcfdl::test
