// The client: lease, capsule, sealed exchange, and another attempt where that is safe.
#pragma once

#include "sdk/capsule_session.hpp"
#include "sdk/exchange.hpp"
#include "sdk/instance_pool.hpp"

namespace tcfdl::sdk {

/// Thread-safe; every call runs on the thread that makes it.
class Caller final : public Client {
public:
  Caller(const Identity& identity, TaskManager& task_manager, Proxy& proxy, const Clock& clock)
      : task_manager_(task_manager), identity_(identity), capsules_(identity, proxy, clock),
        pool_(identity, task_manager, clock) {}

  Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                          const CallOptions& options) override;

protected:
  Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) override;

private:
  struct Attempt;

  Result<CallReport> run(const std::string& function, RequestBody& body, ResultSink& result,
                         const CallOptions& options);
  static void look_elsewhere(Attempt& attempt);
  Status attempt(Attempt& attempt, RequestBody& body, ResultSink& result);
  Result<std::unique_ptr<InstanceConnection>> connect(Attempt& attempt);
  Status exchange(Attempt& attempt, RequestBody& body, ResultSink& result);

  TaskManager& task_manager_;
  const Identity& identity_;
  CapsuleSession capsules_;
  InstancePool pool_;
};

} // namespace tcfdl::sdk
