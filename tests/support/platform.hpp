// A whole platform of real processes in a directory of its own, driven through the command line.
#pragma once

#include "base/file.hpp"
#include "support/process.hpp"

#include <memory>
#include <nlohmann/json.hpp>

namespace tcfdl::test {

using Json = nlohmann::json;

/// A call's result, or its error.
struct Invoked {
  int exit_code = -1;
  std::string out;
  std::string err;
  Json summary;
};

class Platform {
public:
  /// `topology`: YAML; empty for the default of one cluster with one worker.
  explicit Platform(const std::string& topology = {});
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;
  ~Platform();

  /// Adds to the environment of all that it starts; before it is up.
  void add_environment(const Environment& more) { environment_.insert(more.begin(), more.end()); }
  /// Starts it detached, and has the SDK in this process use its contexts; the output of `tcfdl up` when it fails.
  std::string up();
  Finished down();

  /// Runs `tcfdl ARGS…` with this platform's contexts.
  Finished tcfdl(std::vector<std::string> arguments, const std::string& input = {});
  /// The same with --json, parsed; null when it fails.
  Json json(std::vector<std::string> arguments);

  /// Writes a function file around a test program of the build and deploys it. `more`: further YAML lines.
  Finished deploy(const std::string& name, const std::string& program, const std::string& more = {},
                  const std::vector<std::string>& arguments = {}, const std::string& context = {});
  /// Makes a further client of the cluster `local`, with a context of its name; `grants`: none for all functions.
  Finished enrol(const std::string& name, const std::vector<std::string>& grants = {});
  Invoked invoke(const std::string& name, const std::string& input, std::vector<std::string> options = {});

  /// Pids from /proc of processes whose command line has both texts and this platform's state directory.
  [[nodiscard]] std::vector<pid_t> pids(const std::string& program, const std::string& argument) const;
  /// Pids of this platform's instances of a program: their working directory is a bundle in its state.
  [[nodiscard]] std::vector<pid_t> instances(const std::string& program) const;
  [[nodiscard]] std::filesystem::path state() const { return root_.path() / "state"; }
  [[nodiscard]] const std::filesystem::path& root() const { return root_.path(); }
  [[nodiscard]] const Environment& environment() const { return environment_; }
  /// The ready file of a daemon.
  [[nodiscard]] Json ready(const std::string& daemon) const;
  /// The pid of the master of `local`; 0 while there is none.
  [[nodiscard]] pid_t master() const;
  /// Kills that master; false where none takes its place.
  [[nodiscard]] bool kill_master() const;
  static std::string binary(const std::string& name);

private:
  TemporaryDirectory root_;
  Environment environment_;
  std::string topology_;
};

} // namespace tcfdl::test
