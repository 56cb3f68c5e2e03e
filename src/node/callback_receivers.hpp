// HTTP servers that are told of the ends of asynchronous tasks.
#pragma once

#include "courier/ports.hpp"

#include <string>
#include <vector>

namespace tcfdl::node {

/// The section of a master's configuration.
struct CallbackConfig {
  std::vector<std::string> admitted;                       ///< URLs that those of callers must lie below
  std::string root = "/etc/ssl/certs/ca-certificates.crt"; ///< PEM: whom servers are believed by

  friend bool operator==(const CallbackConfig&, const CallbackConfig&) = default;
};

/// Posts a task's document (docs/formats/task_document.md): HTTPS, or plain HTTP on loopback. Only what the
/// configuration names is ever asked for, so that callers cannot have the master reach into its network.
class CallbackReceivers final : public courier::Receivers {
public:
  /// INVALID_ARGUMENT for an entry that is no URL, or plain HTTP beyond loopback.
  static Result<std::unique_ptr<CallbackReceivers>> make(const CallbackConfig& config);

  [[nodiscard]] Status check(const std::string& url) const override;
  Result<int> post(const std::string& url, const wire::StoredTask& task, int result, Deadline deadline) override;
  [[nodiscard]] bool none() const noexcept { return admitted_.empty(); }

private:
  explicit CallbackReceivers(const CallbackConfig& config) : root_(config.root) {}

  const std::string root_;
  std::vector<std::string> admitted_; // without a slash at the end
};

} // namespace tcfdl::node
