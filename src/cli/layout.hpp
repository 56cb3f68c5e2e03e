// Where things lie in the state directory of `tcfdl up`.
#pragma once

#include "base/result.hpp"
#include "cli/topology.hpp"

#include <filesystem>
#include <string>

namespace tcfdl::cli {

/// Pure paths. docs/formats/topology.md lists them.
class Layout {
public:
  /// `given`, or the default below XDG_STATE_HOME or HOME where it is empty; absolute.
  static Layout at(const std::string& given);

  [[nodiscard]] const std::filesystem::path& root() const noexcept { return root_; }
  [[nodiscard]] std::filesystem::path lock() const { return root_ / "lock"; }
  [[nodiscard]] std::filesystem::path topology() const { return root_ / "topology.yaml"; }
  [[nodiscard]] std::filesystem::path ephemeral() const { return root_ / "ephemeral"; }
  [[nodiscard]] std::filesystem::path processes() const { return root_ / "processes.json"; }
  [[nodiscard]] std::filesystem::path logs() const { return root_ / "logs"; }
  [[nodiscard]] std::filesystem::path log(const std::string& name) const { return logs() / (name + ".log"); }
  [[nodiscard]] std::filesystem::path config(const std::string& name) const {
    return root_ / "config" / (name + ".yaml");
  }
  [[nodiscard]] std::filesystem::path ready(const std::string& name) const {
    return root_ / "ready" / (name + ".json");
  }
  [[nodiscard]] std::filesystem::path token(const std::string& name) const { return root_ / "tokens" / name; }
  /// There once the node was ready: its token is used.
  [[nodiscard]] std::filesystem::path enrolled(const std::string& name) const {
    return root_ / "tokens" / (name + ".used");
  }
  [[nodiscard]] std::filesystem::path node(const std::string& name) const { return root_ / "nodes" / name; }
  /// The client that was enrolled with a cluster.
  [[nodiscard]] std::filesystem::path client(const std::string& cluster) const {
    return root_ / "clients" / (cluster + ".json");
  }

  /// The keys of that client, the same in all clusters.
  [[nodiscard]] std::filesystem::path client_keys() const { return root_ / "clients" / "KEYS.json"; }

  /// Creates the directories, for the owner only.
  [[nodiscard]] Status create() const;

  /// Deletes what `create` and the daemons made, and the directory itself if nothing else is in it.
  [[nodiscard]] Status remove() const;

private:
  explicit Layout(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
};

/// Writes the configuration files of all daemons, and a policy where there is none. The same topology gives the same
/// files.
Status write_configuration(const Layout& layout, const Topology& topology);

} // namespace tcfdl::cli
