// What the gateway needs to leave tasks to its cluster.
#pragma once

#include "sdk/submitter.hpp"

namespace tcfdl::gateway {

/// Stored tasks, each by the client whose it is: empty for the holder of the gateway's token. Thread-safe.
class StoredTasks {
public:
  virtual ~StoredTasks() = default;
  virtual Result<sdk::Submitted> submit(const std::string& function, BytesView body, const SubmitOptions& options,
                                        const std::string& client) = 0;
  virtual Result<TaskOutcome> wait(const std::string& id, std::chrono::milliseconds timeout,
                                   const sdk::ResultAccess& access, const std::string& client) = 0;
  virtual Result<TaskInfo> cancel(const std::string& id, const std::string& client) = 0;
  virtual Result<std::vector<TaskInfo>> list(const std::string& client) = 0;
};

} // namespace tcfdl::gateway
